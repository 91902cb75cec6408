package redact

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// shownAttributes are those of server.xml whose values are shown.
var shownAttributes = pattern.Words(`port protocol proxyName proxyPort scheme secure redirectPort address path docBase connectionTimeout
	URIEncoding compression maxThreads minSpareThreads acceptCount name host appBase className SSLEnabled maxHttpHeaderSize
	keystoreFile keystoreType keyAlias certificateKeystoreFile certificateKeystoreType certificateKeyAlias clientAuth sslProtocol protocols
	enableLookups useBodyEncodingForURI disableUploadTimeout executor defaultHost unpackWARs autoDeploy reloadable useHttpOnly version encoding
	compressableMimeType compressibleMimeType noCompressionUserAgents maxKeepAliveRequests keepAliveTimeout maxPostSize hostName defaultSSLHostConfigName`)

// xmlText hides while it goes through a document. What nobody can read as XML is
// hidden up to its end.
type xmlText struct {
	rest string
	out  strings.Builder
}

func xml(text string) string {
	x := &xmlText{rest: text}
	x.out.Grow(len(text))
	for x.rest != "" {
		switch {
		case strings.HasPrefix(x.rest, "<!--"):
			x.between("<!--", "-->")
		case strings.HasPrefix(x.rest, "<![CDATA["):
			x.between("<![CDATA[", "]]>")
		case strings.HasPrefix(x.rest, "<!"):
			x.doctype()
		case strings.HasPrefix(x.rest, "<?xml "):
			x.tag(len("<?xml"))
		case strings.HasPrefix(x.rest, "<?"):
			x.between("<?", "?>")
		case x.rest[0] == '<':
			x.tag(1)
		default:
			end := strings.IndexByte(x.rest, '<')
			if end < 0 {
				end = len(x.rest)
			}
			x.hide(end)
		}
	}
	return x.out.String()
}

// keep shows so many bytes.
func (x *xmlText) keep(n int) {
	x.out.WriteString(x.rest[:n])
	x.rest = x.rest[n:]
}

// hide hides them; the blanks around lines stay, so that it stays so many lines.
func (x *xmlText) hide(n int) {
	for line := range strings.Lines(x.rest[:n]) {
		bare := strings.Trim(line, " \t\r\n")
		if bare == "" {
			x.out.WriteString(line)
			continue
		}
		at := strings.Index(line, bare)
		x.out.WriteString(line[:at])
		x.out.WriteString(Hidden)
		x.out.WriteString(line[at+len(bare):])
	}
	x.rest = x.rest[n:]
}

// between hides what stands between two marks.
func (x *xmlText) between(open, end string) {
	x.keep(len(open))
	if i := strings.Index(x.rest, end); i >= 0 {
		x.hide(i)
		x.keep(len(end))
		return
	}
	x.hide(len(x.rest))
}

// doctype hides a declaration: entities are texts.
func (x *xmlText) doctype() {
	depth, quote := 0, byte(0)
	for i := range len(x.rest) {
		switch c := x.rest[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<' || c == '[':
			depth++
		case c == ']':
			depth--
		case c == '>':
			if depth--; depth <= 0 {
				x.keep(2)
				x.hide(i - 2)
				x.keep(1)
				return
			}
		}
	}
	x.hide(len(x.rest))
}

// tag shows the name of an element and those of its attributes, and their values
// where they are known.
func (x *xmlText) tag(begin int) {
	x.keep(begin)
	if strings.HasPrefix(x.rest, "/") {
		x.keep(1)
	}
	x.keep(nameLen(x.rest))
	for x.rest != "" {
		c := x.rest[0]
		if c == '>' {
			x.keep(1)
			return
		}
		if c == '<' { // the tag has no end
			return
		}
		if strings.IndexByte(" \t\r\n/?", c) >= 0 {
			x.keep(1)
			continue
		}
		x.attribute()
	}
}

// attribute shows NAME="value"; anything else in a tag is hidden.
func (x *xmlText) attribute() {
	name := nameLen(x.rest)
	i := name + blanks(x.rest[name:])
	if name == 0 || i >= len(x.rest) || x.rest[i] != '=' {
		x.hide(max(1, name, strings.IndexAny(x.rest, " \t\r\n<>/")))
		return
	}
	i++
	i += blanks(x.rest[i:])
	if i >= len(x.rest) || x.rest[i] != '"' && x.rest[i] != '\'' {
		x.keep(i)
		end := strings.IndexAny(x.rest, " \t\r\n<>")
		if end < 0 {
			end = len(x.rest)
		}
		x.hide(end)
		return
	}
	quote, shown := x.rest[i], shownAttributes()[x.rest[:name]]
	x.keep(i + 1)
	end := strings.IndexByte(x.rest, quote)
	if end < 0 {
		x.hide(len(x.rest))
		return
	}
	if shown && !strings.Contains(x.rest[:end], "\n") {
		x.out.WriteString(problem.Mask(x.rest[:end]))
		x.rest = x.rest[end:]
	} else if end > 0 {
		lines := strings.Count(x.rest[:end], "\n")
		x.out.WriteString(Hidden + strings.Repeat("\n", lines))
		x.rest = x.rest[end:]
	}
	x.keep(1)
}

// nameLen is the length of the name that a text begins with.
func nameLen(text string) int {
	n := 0
	for n < len(text) && isName(text[n]) {
		n++
	}
	return n
}

func isName(c byte) bool {
	switch c {
	case '_', ':', '.', '-':
		return true
	}
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// blanks is how many blanks a text begins with.
func blanks(text string) int {
	n := 0
	for n < len(text) && isBlank(text[n]) {
		n++
	}
	return n
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
