package setup

import (
	"regexp"
	"slices"
	"strings"

	"bitgate/internal/pattern"
)

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

// telling are the words of which every secret's key, or address, has one.
var telling = []string{"pass", "secret", "token", "license", "credential", "private", "auth", "://"}

// mask hides values whose key says they are secret. The expressions are slow, so
// of a file of megabytes they are asked about the lines that hold a telling word.
func mask(text string) string {
	var out strings.Builder
	at := 0
	for _, s := range suspects(text) {
		out.WriteString(text[at:s.start])
		out.WriteString(maskAll(text[s.start:s.end]))
		at = s.end
	}
	out.WriteString(text[at:])
	return out.String()
}

func maskAll(text string) string {
	for _, re := range secrets[:5] {
		text = re().ReplaceAllString(text, "${1}********")
	}
	return secrets[5]().ReplaceAllString(text, "${1}********@")
}

// span is a part of a text, whole lines.
type span struct{ start, end int }

// suspects are the parts of a text that may hold a secret, in order.
func suspects(text string) []span {
	lower := []byte(text)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	low := string(lower)
	var all []span
	for _, word := range telling {
		for at := 0; ; {
			i := strings.Index(low[at:], word)
			if i < 0 {
				break
			}
			s := span{strings.LastIndexByte(text[:at+i], '\n') + 1, valueEnd(text, at+i+len(word))}
			all = append(all, s)
			at = max(at+i+len(word), s.end)
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.start - b.start })
	return merged(all)
}

// merged joins spans that overlap.
func merged(all []span) []span {
	var out []span
	for _, s := range all {
		if last := len(out) - 1; last >= 0 && s.start < out[last].end {
			out[last].end = max(out[last].end, s.end)
			continue
		}
		out = append(out, s)
	}
	return out
}

// valueEnd is the end of the line with the value whose key is just before at: a
// value goes on over lines behind a backslash, and up to the quote that ends it.
func valueEnd(text string, at int) int {
	end := at
	rest := strings.TrimLeft(text[at:], "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if value, ok := strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n\f"), "="); ok {
		value = strings.TrimLeft(value, " \t\r\n\f")
		if value != "" && strings.ContainsRune("\"'", rune(value[0])) {
			end = len(text)
			if i := strings.IndexByte(value[1:], value[0]); i >= 0 {
				end -= len(value) - i - 2
			}
		}
	}
	for end < len(text) {
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return len(text)
		}
		line := strings.TrimSuffix(text[at:end+i], "\r")
		if end += i + 1; !strings.HasSuffix(line, "\\") {
			break
		}
	}
	return end
}
