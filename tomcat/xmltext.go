package tomcat

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"

	"bitgate/internal/pattern"
)

// xmlText is an XML document as text, and the way back to its bytes.
type xmlText struct {
	mark     string            // byte order mark, as it stands in the file
	text     string            // the document in UTF-8, without the mark
	encoding encoding.Encoding // nil for UTF-8
}

var declaredEncoding = pattern.Lazy(`^<\?xml[ \t\r\n][^>]*?encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][A-Za-z0-9._-]*)["']`)

// decodeXML turns the bytes of a document into text, by byte order mark, else
// by its declaration, else as UTF-8 (XML 1.0, appendix F). It refuses bytes
// that do not belong to the encoding: they could not be written back as they were.
func decodeXML(src []byte) (xmlText, error) {
	doc, err := sniffEncoding(src)
	if err != nil {
		return doc, err
	}
	body := string(src[len(doc.mark):])
	if doc.encoding == nil {
		doc.text = body
	} else if doc.text, err = doc.encoding.NewDecoder().String(body); err != nil {
		return doc, &fault{1, "the text cannot be decoded: " + err.Error()}
	}
	for i, r := range doc.text {
		if !isXMLChar(doc.text, i, r) {
			return doc, &fault{lineAt(doc.text, i), "a byte that is not allowed here (a control character, or not valid in the file's encoding)"}
		}
	}
	if back, err := doc.encode(doc.text); err != nil || back != body {
		at := max(0, strings.IndexRune(doc.text, utf8.RuneError))
		return doc, &fault{lineAt(doc.text, at), "bytes that are not valid in the file's declared encoding"}
	}
	return doc, nil
}

// sniffEncoding finds mark and encoding of a document.
func sniffEncoding(src []byte) (xmlText, error) {
	little := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	big := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	switch {
	case bytes.HasPrefix(src, []byte("\xEF\xBB\xBF")):
		return xmlText{mark: "\xEF\xBB\xBF"}, nil
	case bytes.HasPrefix(src, []byte("\xFF\xFE")):
		return xmlText{mark: "\xFF\xFE", encoding: little}, nil
	case bytes.HasPrefix(src, []byte("\xFE\xFF")):
		return xmlText{mark: "\xFE\xFF", encoding: big}, nil
	case bytes.HasPrefix(src, []byte("<\x00?\x00")):
		return xmlText{encoding: little}, nil
	case bytes.HasPrefix(src, []byte("\x00<\x00?")):
		return xmlText{encoding: big}, nil
	}
	m := declaredEncoding().FindSubmatch(src[:min(len(src), 300)])
	if m == nil {
		return xmlText{}, nil
	}
	name := string(m[1])
	upper := strings.ToUpper(name)
	if upper == "UTF-8" {
		return xmlText{}, nil
	}
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil || strings.HasPrefix(upper, "UTF-") {
		return xmlText{}, &fault{1, fmt.Sprintf("it declares the encoding %s, which it does not have or which is not known", name)}
	}
	return xmlText{encoding: enc}, nil
}

// isXMLChar reports whether r, found at text[i], is a Char of XML 1.0 (2.2).
// A replacement character stands for bytes that could not be decoded, except
// where the file really holds U+FFFD.
func isXMLChar(text string, i int, r rune) bool {
	if r == utf8.RuneError {
		return strings.HasPrefix(text[i:], "\uFFFD")
	}
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// encode turns text into bytes of the document. What the encoding lacks is an error.
func (d xmlText) encode(text string) (string, error) {
	if d.encoding == nil {
		return text, nil
	}
	return d.encoding.NewEncoder().String(text)
}

// encodeValue does the same for an attribute value, where a character that the
// encoding lacks can be written as a character reference.
func (d xmlText) encodeValue(text string) (string, error) {
	if d.encoding == nil {
		return text, nil
	}
	return encoding.HTMLEscapeUnsupported(d.encoding.NewEncoder()).String(text)
}

// offset is the place in the file of text[at].
func (d xmlText) offset(at int) (int, error) {
	raw, err := d.encode(d.text[:at])
	return len(d.mark) + len(raw), err
}
