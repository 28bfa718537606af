;; Instantiation that ends with a trap of the start function, after a call of the host: the trap's text is the guest's.
(module
  (import "host" "f" (func $host (param f32) (result f32)))
  (memory (export "memory") 1 1)
  (func $start
    (drop (i32.trunc_f32_s (f32.mul (call $host (f32.const 2)) (f32.const inf)))))
  (start $start))
