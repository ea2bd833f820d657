// Functions in Go that hype runs. Go's own compiler makes a module for WASI of them, with the bindings that wit-bindgen
// generates from wit/source.wit.
package export_acme_go_source_source

import (
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"

	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/acme_go_source_source"
)

func Format(text string) Result[string, Problem] {
	formatted, err := format.Source([]byte(text))
	if err != nil {
		return Err[string, Problem](problemOf(err))
	}
	return Ok[string, Problem](string(formatted))
}

func Declarations(text string) Result[[]Declaration, Problem] {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return Err[[]Declaration, Problem](problemOf(err))
	}
	var found []Declaration
	add := func(name *ast.Ident) {
		line := uint32(files.Position(name.Pos()).Line)
		found = append(found, Declaration{Name: name.Name, Line: line, Exported: name.IsExported()})
	}
	for _, declaration := range file.Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			add(declaration.Name)
		case *ast.GenDecl:
			for _, spec := range declaration.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						add(name)
					}
				}
			}
		}
	}
	return Ok[[]Declaration, Problem](found)
}

func problemOf(err error) Problem {
	var list scanner.ErrorList
	if !errors.As(err, &list) || len(list) == 0 {
		return Problem{Message: err.Error()}
	}
	at := list[0].Pos
	return Problem{Line: uint32(at.Line), Column: uint32(at.Column), Message: list[0].Msg}
}
