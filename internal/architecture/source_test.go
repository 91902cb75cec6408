package architecture_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// file is what the rules look at in one Go file, for whatever system it is built.
type file struct {
	Name    string // from the module root, with slashes
	Package string // its folder: "haproxy/live"
	Test    bool
	Imports []use
	Uses    []use // qualified names, "os.Stdin", with import aliases resolved
}

type use struct {
	Name string
	Line int
}

func parse(name string, src []byte) (file, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{Name: name, Package: path.Dir(name), Test: strings.HasSuffix(name, "_test.go")}
	known := map[string]string{} // local name -> import path
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		local := path.Base(target)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		known[local] = target
		f.Imports = append(f.Imports, use{target, fset.Position(spec.Pos()).Line})
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if c, ok := n.(*ast.CompositeLit); ok && boundless(c, known) {
			f.Uses = append(f.Uses, use{boundlessClient, fset.Position(c.Pos()).Line})
		}
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && known[x.Name] != "" {
				f.Uses = append(f.Uses, use{known[x.Name] + "." + s.Sel.Name, fset.Position(s.Pos()).Line})
			}
		}
		return true
	})
	return f, nil
}

// boundlessClient stands among the uses for an http.Client that is made without a Timeout.
const boundlessClient = "net/http.Client without Timeout"

func boundless(c *ast.CompositeLit, known map[string]string) bool {
	s, ok := c.Type.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Client" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && known[x.Name] == "net/http" && !slices.ContainsFunc(c.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := pair.Key.(*ast.Ident)
		return ok && key.Name == "Timeout"
	})
}

// sources parses every Go file of the module; nested modules are their own.
func sources(t *testing.T) []file {
	t.Helper()
	root := moduleRoot(t)
	var files []file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			_, nested := os.Stat(filepath.Join(name, "go.mod"))
			if name != root && (base == "testdata" || base[0] == '.' || base[0] == '_' || nested == nil) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), src)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}
