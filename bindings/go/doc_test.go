package wasmrt

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// Every exported name has a comment that begins with it.
func TestDocumentation(t *testing.T) {
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go")
	}, parser.ParseComments)
	must(t, err)
	seen := 0
	check := func(pos token.Pos, name string, doc *ast.CommentGroup) {
		if !ast.IsExported(name) {
			return
		}
		seen++
		if text := doc.Text(); !strings.HasPrefix(text, name+" ") {
			t.Errorf("%v: %s has no comment that begins with its name", files.Position(pos), name)
		}
	}
	for _, file := range packages["wasmrt"].Files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv != nil && !ast.IsExported(receiver(decl.Recv.List[0].Type)) && receiver(decl.Recv.List[0].Type) != "object" {
					continue
				}
				check(decl.Pos(), decl.Name.Name, decl.Doc)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						check(spec.Pos(), spec.Name.Name, decl.Doc)
					case *ast.ValueSpec:
						doc := spec.Doc
						if doc == nil && len(decl.Specs) == 1 {
							doc = decl.Doc
						}
						for _, name := range spec.Names {
							check(name.Pos(), name.Name, doc)
						}
					}
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d names", seen)
	}
}

func receiver(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}
