package problem

import (
	"strings"

	"bitgate/internal/pattern"
)

// What a person typed or pasted is quoted back in errors, and an address may hold a
// password: https://user:password@host (RFC 3986, 3.2.1), as Git remotes do.
var (
	urlUser  = pattern.Lazy(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>]*@`)
	bareUser = pattern.Lazy(`(^|[\s"'=(])([^\s"'=(/:@]+):([^\s"'@]+)@`)
)

// Hidden stands for what is not shown.
const Hidden = "********"

const masked = Hidden + "@"

// Mask hides users and passwords of addresses in a text.
func Mask(text string) string {
	if strings.IndexByte(text, '@') < 0 {
		return text
	}
	text = urlUser().ReplaceAllString(text, "${1}"+masked)
	return bareUser().ReplaceAllString(text, "${1}"+masked)
}
