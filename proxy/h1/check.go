package h1

// CheckRequest demands of a request that came another way than in an HTTP/1
// head, such as over HTTP/2, what Feed demands, so that it can be written as
// HTTP/1.1: a target in origin-form, a host, no expectation but 100-continue
// (RFC 9110, 10.1.1). Names and values of fields are the caller's to check.
func CheckRequest(method, target, host []byte, fields []Field) *Error {
	switch {
	case !all(method, isMethod) || len(method) == 0:
		return errRequestLine
	case len(method) > maxMethod:
		return errMethodUnknown
	case refusedMethod(method):
		return errMethod
	case len(target) == 0 || target[0] != '/' || !all(target, isTarget):
		return errTarget
	case !validHost(host):
		return errHost
	}
	for _, f := range fields {
		if isTwin(f.Name) {
			return errTwin
		}
		if Is(f.Name, "expect") && !Is(f.Value, "100-continue") {
			return errExpectation
		}
	}
	return nil
}

func refusedMethod(method []byte) bool {
	switch string(method) {
	case "CONNECT", "TRACE", "TRACK", "PRI":
		return true
	}
	return false
}

func validHost(host []byte) bool { return len(host) > 0 && all(host, isHost) }

// isTwin reports whether some server reads name as one of the two that decide
// about a body's length, although it is neither.
func isTwin(name []byte) bool {
	switch len(name) {
	case len("content-length"):
		return !Is(name, "content-length") && twin(name, "content-length")
	case len("transfer-encoding"):
		return !Is(name, "transfer-encoding") && twin(name, "transfer-encoding")
	}
	return false
}

// ParseLength reads a Content-Length: digits only, below 10^18.
func ParseLength(value []byte) (n int64, ok bool) { return number(value) }

// ValidName reports whether name is a token (RFC 9110, 5.1).
func ValidName(name []byte) bool { return len(name) > 0 && all(name, isToken) }

// ValidValue reports whether value holds no control character (RFC 9110, 5.5).
func ValidValue(value []byte) bool { return all(value, isValue) }

// Portable reports whether a field name has letters, digits and "-" only.
// Servers fold others together: X_Forwarded_For becomes X-Forwarded-For.
func Portable(name []byte) bool {
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (lower(c) < 'a' || lower(c) > 'z') {
			return false
		}
	}
	return true
}
