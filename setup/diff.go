package setup

import (
	"regexp"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/internal/pattern"
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
	for _, path := range p.EditedPaths() {
		before := files[path].Data
		after, err := p.Applied(path, before)
		if err != nil {
			continue // a stale plan: apply says so, with the reason
		}
		out = append(out, FileDiff{Path: path, Unified: Unified(path, before, after)})
	}
	return out
}

func Unified(path string, before, after []byte) string {
	return udiff.Unified(path, path+" (after)", mask(string(before)), mask(string(after)))
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
