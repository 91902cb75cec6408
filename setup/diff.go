package setup

import (
	"regexp"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/internal/atomicfile"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// FileDiff is one file before and after all changes of the plan.
type FileDiff struct {
	Path    string `json:"path"`
	Unified string `json:"diff"` // unified diff, secrets masked by key name
}

// Diffs makes the diffs people review: one per file, however many steps touch
// it. Certificates are described by their change's What and never shown.
func Diffs(f Facts, p Plan) []FileDiff {
	var out []FileDiff
	files := f.files()
	for _, path := range p.editedPaths() {
		before := files[path].Data
		after, err := p.applied(path, before)
		if err != nil {
			continue // a stale plan: apply says so, with the reason
		}
		out = append(out, FileDiff{Path: path, Unified: unified(path, before, after)})
	}
	return out
}

func unified(path string, before, after []byte) string {
	return udiff.Unified(path, path+" (after)", mask(string(before)), mask(string(after)))
}

// files maps every file that was read by its path.
func (f Facts) files() map[string]atomicfile.File {
	out := map[string]atomicfile.File{}
	for _, file := range append([]atomicfile.File{f.Properties, f.ServerXML, f.ProxyConfig, f.ProxyUnit}, f.HAProxyFiles...) {
		if file.Path != "" {
			out[file.Path] = file
		}
	}
	return out
}

// editedPaths lists the edited files in the order of their first change.
func (p Plan) editedPaths() []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range p.Ordered() {
		if e := p.At(r).File; e != nil && !seen[e.Path] {
			seen[e.Path] = true
			out = append(out, e.Path)
		}
	}
	return out
}

// applied returns a file's bytes after all its edits in the plan.
func (p Plan) applied(path string, data []byte) ([]byte, error) {
	for _, r := range p.Ordered() {
		e := p.At(r).File
		if e == nil || e.Path != path {
			continue
		}
		after, err := splice.Apply(data, e.Splices)
		if err != nil {
			return nil, problem.Wrap(err, path+" is not the file this plan was made for", "", "make a new plan")
		}
		data = after
	}
	return data, nil
}

// Secrets by key name: properties (jdbc.password=..., setup.license=...),
// XML attributes (keystorePass="..."), HAProxy (stats auth u:p, user x password y).
var secrets = []func() *regexp.Regexp{
	pattern.Lazy(`(?im)^([ \t]*[#!]?[ \t]*[\w.\-]*(?:passw|secret|token|license|credential|private)[\w.\-]*[ \t]*[=: \t][ \t]*)(\S(?:[^\r\n\\]|\\\r?\n|\\.)*)`),
	pattern.Lazy(`(?i)(\b\w*(?:pass|password|secret|token)\w*\s*=\s*")([^"]*)`),
	pattern.Lazy(`(?i)(\b\w*(?:pass|password|secret|token)\w*\s*=\s*')([^']*)`),
	pattern.Lazy(`(?im)(\bauth[ \t]+[^\s:]+:)(\S+)`),
	pattern.Lazy(`(?im)(\b(?:insecure-)?password[ \t]+)(\S+)`),
	pattern.Lazy(`(?i)(://[^\s:/@]+:)([^\s@]+)(?:@)`),
}

// mask hides values whose key says they are secret.
func mask(text string) string {
	for _, re := range secrets[:5] {
		text = re().ReplaceAllString(text, "${1}********")
	}
	return secrets[5]().ReplaceAllString(text, "${1}********@")
}
