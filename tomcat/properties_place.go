package tomcat

import (
	"bytes"
	"strings"

	"bitgate/internal/splice"
)

// commentedOut finds the one comment line that a person would un-comment for
// key: "#key=value" with a value of one word, not in a block that Bitbucket
// wrote ("#>"). Prose that happens to begin with the key is left alone.
func (p *Properties) commentedOut(key string) (c comment, ok bool) {
	for _, candidate := range p.comments {
		name, _, found := p.commentedKey(candidate)
		if !found || name != key {
			continue
		}
		if ok {
			return c, false
		}
		c, ok = candidate, true
	}
	return c, ok
}

// commentedKey splits "# key = value" and says where the value begins.
func (p *Properties) commentedKey(c comment) (key string, valueAt int, ok bool) {
	text := string(p.src[c.at:c.end])
	at := len(text) - len(strings.TrimLeft(text, "#! \t\f"))
	i := strings.IndexAny(text, "=:")
	if i < at || strings.HasSuffix(text, `\`) {
		return "", 0, false
	}
	rest := text[i+1:]
	value := strings.Trim(rest, " \t\f")
	if strings.ContainsAny(value, " \t\f") {
		return "", 0, false
	}
	valueAt = c.at + i + 1 + len(rest) - len(strings.TrimLeft(rest, " \t\f"))
	return strings.TrimRight(text[at:i], " \t\f"), valueAt, true
}

func (p *Properties) uncomment(c comment, w Property) []splice.Splice {
	_, valueAt, _ := p.commentedKey(c)
	text := string(p.src[c.at:c.end])
	signs := len(text) - len(strings.TrimLeft(text, "#! \t\f"))
	return []splice.Splice{
		{Offset: c.at, Old: text[:signs]},
		{Offset: valueAt, Old: string(p.src[valueAt:c.end]), New: escapeValue(w.Value)},
	}
}

const blockTitle = "# Set by bitgate: what Bitbucket must know about the HTTPS front"

// block appends keys at the end of the file, under one comment line. An
// earlier block that still ends the file is continued.
func (p *Properties) block(missing []Property) splice.Splice {
	eol := p.lineEnd()
	var b strings.Builder
	if !p.endsWithBlock() {
		if n := len(p.src); n > 0 {
			if !isLineEnd(p.src[n-1]) {
				b.WriteString(eol)
			}
			b.WriteString(eol) // also ends a line that a last backslash would continue
		}
		b.WriteString(blockTitle + eol)
	}
	for _, m := range missing {
		b.WriteString(escapeKey(m.Key) + "=" + escapeValue(m.Value) + eol)
	}
	return splice.Splice{Offset: len(p.src), New: b.String()}
}

// lineEnd is the terminator of the file's last line that has one.
func (p *Properties) lineEnd() string {
	i := bytes.LastIndexAny(p.src, "\r\n")
	switch {
	case i < 0:
		return "\n"
	case i > 0 && p.src[i] == '\n' && p.src[i-1] == '\r':
		return "\r\n"
	}
	return string(p.src[i])
}

func (p *Properties) endsWithBlock() bool {
	if len(p.comments) == 0 {
		return false
	}
	c, eol := p.comments[len(p.comments)-1], p.lineEnd()
	tail := string(p.src[c.end:])
	return string(p.src[c.at:c.end]) == blockTitle && strings.HasSuffix(tail, eol) &&
		!strings.Contains(tail, eol+eol) && !strings.Contains(tail, `\`+eol)
}

// OwnComment reports whether a line of a properties file is a comment of bitgate's.
func OwnComment(line string) bool { return line == blockTitle }
