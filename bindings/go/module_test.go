package wasmrt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const described = `(module $described
  (import "host" "f" (func (param i32) (result i64)))
  (import "host" "m" (memory 1 2))
  (import "host" "g" (global (mut f32)))
  (table (export "t") 1 9 externref)
  (global (export "g") f64 (f64.const 1))
  (func (export "v") (param v128 funcref))
  (export "m" (memory 0))
  (@custom "note" "hello"))`

func TestModule(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	module, err := NewModule(engine, wat(t, described))
	must(t, err)
	imports, err := module.Imports()
	must(t, err)
	var text []string
	for _, i := range imports {
		text = append(text, i.Module+"."+i.Name+" "+i.Type.String())
	}
	exports, err := module.Exports()
	must(t, err)
	for _, e := range exports {
		text = append(text, e.Name+" "+e.Type.String())
	}
	want := "host.f (i32) -> (i64), host.m memory 1..2, host.g global mut f32, t table 1..9 externref, g global f64, " +
		"v (v128, funcref) -> (), m memory 1..2"
	if got := strings.Join(text, ", "); got != want {
		t.Errorf("%s\ninstead of\n%s", got, want)
	}
	if name, err := module.Name(); err != nil || name != "described" {
		t.Error(name, err)
	}
	if note, err := module.CustomSection("note"); err != nil || string(note) != "hello" {
		t.Error(note, err)
	}
	if note, err := module.CustomSection("nothing"); err != nil || note != nil {
		t.Error(note, err)
	}
}

func TestWrongModules(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	broken := wat(t, `(module (func (export "f") (result i32) (i32.const 1)))`)
	broken[len(broken)-3] = 0x6a // i32.add
	_, err = NewModule(engine, broken)
	var e *Error
	if !errors.As(err, &e) || e.Kind != ErrorCompile || e.Offset <= 0 || e.Kind.String() != "compile" {
		t.Errorf("%#v", err)
	}
	if err := ModuleValidate(engine, broken); KindOf(err) != ErrorCompile {
		t.Error(err)
	}
	must(t, ModuleValidate(engine, wat(t, described)))
	if _, err := NewModule(engine, nil); KindOf(err) != ErrorCompile {
		t.Error(err)
	}
	if _, err := Wat2Wasm("(module (func"); err == nil || !strings.Contains(err.Error(), "1:") {
		t.Error(err)
	}
	if _, err := NewModuleDeserialize(engine, []byte("text")); KindOf(err) != ErrorArtifact {
		t.Error(err)
	}
	if _, err := NewModuleFromFile(engine, "/nothing/here"); KindOf(err) != ErrorFile {
		t.Error(err)
	}
}

func TestConfiguration(t *testing.T) {
	config := NewConfig()
	config.SetBackend("nothing")
	if _, err := NewEngineWithConfig(config); err == nil || !strings.Contains(err.Error(), Backends()[0]) {
		t.Error(err)
	}
	for _, backend := range Backends() {
		config := NewConfig()
		config.SetBackend(backend)
		gc, _ := ProposalNamed("simd")
		config.SetProposal(gc, true)
		config.SetMaxWasmStack(1 << 18)
		config.SetModuleLimit(ModuleLimitFunctions, 1)
		for i := 0; i < 2; i++ { // it may be used again
			engine, err := NewEngineWithConfig(config)
			must(t, err)
			if engine.Backend() != backend {
				t.Error(engine.Backend())
			}
			if _, err := NewModule(engine, wat(t, `(module (func) (func))`)); KindOf(err) != ErrorLimit {
				t.Error(err)
			}
		}
	}
	if _, err := NewEngineWithConfig(nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	config = NewConfig()
	config.SetBackend("wasmi")
	config.SetCompiler(CompilerCranelift)
	if _, err := NewEngineWithConfig(config); KindOf(err) != ErrorUnsupported {
		t.Error(err)
	}
	if _, ok := ProposalNamed("nothing"); ok {
		t.Error("a proposal that does not exist")
	}
	if Version() == "" {
		t.Error("no version")
	}
}

func TestSerialization(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	binary := wat(t, `(module (func (export "f") (result i32) (i32.const 42)))`)
	module, err := NewModule(engine, binary)
	must(t, err)
	artifact, err := module.Serialize()
	must(t, err)
	path := filepath.Join(t.TempDir(), "module")
	must(t, module.SerializeToFile(path))
	precompiled, err := engine.Precompile(binary)
	must(t, err)
	fromBytes, err := NewModuleDeserialize(engine, artifact)
	must(t, err)
	fromFile, err := NewModuleDeserializeFile(engine, path)
	must(t, err)
	again, err := NewModuleDeserialize(engine, precompiled)
	must(t, err)
	for _, m := range []*Module{fromBytes, fromFile, again} {
		store, err := NewStore(engine)
		must(t, err)
		instance, err := NewInstance(store, m, nil)
		must(t, err)
		if result, err := instance.GetFunc("f").Call(); err != nil || result != int32(42) {
			t.Error(result, err)
		}
	}
}

func TestCache(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "cache")
	config := NewConfig()
	config.SetBackend("wasmtime")
	config.SetCache(directory, 1<<20)
	for i := uint64(0); i < 2; i++ {
		engine, err := NewEngineWithConfig(config)
		must(t, err)
		_, err = NewModule(engine, wat(t, described))
		must(t, err)
		if found, missing, err := engine.CacheCounts(); err != nil || found != i || missing != 1-i {
			t.Error(found, missing, err)
		}
		must(t, engine.Close())
	}
	if _, err := os.Stat(directory); err != nil {
		t.Error(err)
	}
}

// One module, many goroutines, each with a store.
func TestModuleInManyGoroutines(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	module, err := NewModule(engine, wat(t, callsHost))
	must(t, err)
	var wait sync.WaitGroup
	for i := 0; i < 16; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 20; n++ {
				store, err := NewStore(engine)
				if err != nil {
					t.Error(err)
					return
				}
				calls := 0
				host, _ := WrapFunc(store, func() { calls++ })
				instance, err := NewInstance(store, module, []AsExtern{host})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := instance.GetFunc("run").Call(); err != nil || calls != 1 {
					t.Error(calls, err)
				}
				if _, err := module.Exports(); err != nil {
					t.Error(err)
				}
				store.Close()
			}
		}()
	}
	wait.Wait()
	must(t, module.Close())
	must(t, engine.Close())
}

func TestLinker(t *testing.T) {
	g := load(t, NewConfig(), `(module (func (export "f") (result i32) (i32.const 1)))`, nil)
	must(t, g.linker.DefineInstance("a", g.Instance))
	if err := g.linker.DefineFunc("a", "f", func() int32 { return 2 }); KindOf(err) != ErrorMisuse && KindOf(err) != ErrorLink {
		t.Error(KindOf(err), err)
	}
	must(t, g.linker.Alias("a", "f", "b", "g"))
	if result, err := g.linker.Get("b", "g").Func().Call(); err != nil || result != int32(1) {
		t.Error(result, err)
	}
	if g.linker.Get("b", "f") != nil {
		t.Error("found nothing")
	}
	module, err := NewModule(g.engine, wat(t, `(module (import "b" "g" (func $g (result i32))) (import "c" "h" (func $h))
	  (func (export "g") (result i32) (call $g)) (func (export "h") (call $h)))`))
	must(t, err)
	if _, err := g.linker.Instantiate(module); KindOf(err) != ErrorLink || !strings.Contains(err.Error(), "h") {
		t.Error(err)
	}
	if _, err := g.linker.Prepare(module); KindOf(err) != ErrorLink {
		t.Error(err)
	}
	must(t, g.linker.SetUnknownImports(UnknownImportsTrap))
	pre, err := g.linker.Prepare(module)
	must(t, err)
	must(t, g.linker.AllowShadowing(true))
	must(t, g.linker.FuncWrap("b", "g", func() int32 { return 2 }))
	for i := 0; i < 3; i++ {
		old, err := pre.Instantiate()
		must(t, err)
		if result, err := old.GetFunc("g").Call(); err != nil || result != int32(1) {
			t.Error(result, err)
		}
		if _, err := old.GetFunc("h").Call(); trapOf(t, err).Code() != TrapHost {
			t.Error(err)
		}
		exports, err := old.Exports()
		if err != nil || len(exports) != 2 || exports[1].Func() == nil || exports[1].Memory() != nil {
			t.Error(exports, err)
		}
	}
	instance, err := g.linker.Instantiate(module)
	must(t, err)
	if result, err := instance.GetFunc("g").Call(); err != nil || result != int32(2) {
		t.Error(result, err)
	}
	if instance.GetFunc("nothing") != nil || instance.GetMemory("g") != nil || instance.GetTable("g") != nil {
		t.Error("found nothing")
	}
	if ty, err := instance.GetExport("g").Type(); err != nil || ty.String() != "() -> (i32)" {
		t.Error(ty, err)
	}
	// A start function that traps.
	traps, err := NewModule(g.engine, wat(t, `(module (func $f unreachable) (start $f))`))
	must(t, err)
	if _, err := g.linker.Instantiate(traps); trapOf(t, err).Code() != TrapUnreachable {
		t.Error(err)
	}
}

func TestFrames(t *testing.T) {
	g := load(t, NewConfig(), `(module $named (func $inner unreachable) (func $outer (export "f") (call $inner)))`, nil)
	_, err := g.GetFunc("f").Call()
	trap := trapOf(t, err)
	if g.engine.Backend() == "wasmi" {
		if len(trap.Frames()) != 0 {
			t.Error(trap.Frames())
		}
		return
	}
	frames := trap.Frames()
	if len(frames) != 2 || frames[0].FuncName != "inner" || frames[1].FuncName != "outer" || frames[1].FuncIndex != 1 ||
		frames[0].ModuleName != "named" || frames[0].ModuleOffset <= frames[0].FuncOffset {
		t.Errorf("%+v", frames)
	}
	if text := err.Error(); !strings.HasPrefix(text, trap.Message()+"\n  0: named!inner at offset 0x") {
		t.Error(text)
	}
}
