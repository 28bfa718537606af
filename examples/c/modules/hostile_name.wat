;; Sample for run.c: a name with control characters must not reach the terminal as they are.
(module
  (func (export "\1b[2Jcleared")))
