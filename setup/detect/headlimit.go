package detect

import (
	"math"
	"strconv"
	"strings"

	"bitgate/setup"
)

// headLimitKeys are how Bitbucket 5.0 and later are told how large a request's line
// and headers may be: Spring Boot 1 to 3 have had these names for it.
var headLimitKeys = []string{
	"server.max-http-request-header-size", "server.max-http-header-size", "server.tomcat.max-http-request-header-size", "server.tomcat.max-http-header-size",
}

// headLimitAttributes are the connector's in server.xml, of Tomcat 9 and 8.5 and of
// those before.
var headLimitAttributes = []string{"maxHttpRequestHeaderSize", "maxHttpHeaderSize"}

// readHeadLimit takes the limit from what Bitbucket was given: its process beats
// its file. get says what the file has for a key, and where.
func (f *facts) readHeadLimit(keys []string, get func(key string) (value, why string)) {
	for _, key := range keys {
		value, why := get(key)
		if o, ok := f.Bitbucket.Effective(key); ok && f.Bitbucket.Container == nil {
			value, why = o.Value, o.Where
		}
		if size, ok := dataSize(value); ok {
			f.HeadLimit = setup.Known{Value: strconv.Itoa(size), Set: true, Why: why}
			return
		}
	}
}

// dataSize reads a number of bytes as Spring Boot's DataSize does: 16384, 16KB, 1MB.
func dataSize(text string) (int, bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	unit := 1
	for _, u := range []struct {
		suffix string
		size   int
	}{{"KB", 1 << 10}, {"MB", 1 << 20}, {"B", 1}} {
		if before, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = before, u.size
			break
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 || n > math.MaxInt32/unit {
		return 0, false
	}
	return n * unit, true
}
