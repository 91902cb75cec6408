package redact

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// Of a log nobody knows what its lines hold, so a word is shown by its form: words of
// letters, numbers, times, addresses, paths and names with dots.
var (
	shownWord = pattern.Lazy(`^(?:[\p{L}][\p{L}'’-]*|[A-Za-z]+/[A-Za-z]+|--?[a-z][a-z-]*|[A-Z]{2,5}(?:v|[-/])?\d[\d.]*|[+\-]?\d[\d.,:/%+-]*[a-zA-Z]{0,3}|\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-][\d:]+)?|\[?[0-9a-fA-F]*:[0-9a-fA-F:]*\]?(?::\d+)?|(?:[\w-]+\.)+[A-Za-z-]{2,}(?::\d+)?|localhost:\d+|/[\w./@+:-]*|https?://[\w.:/\[\]-]+|[\w-]+@[\w.-]+\.(?:service|timer)|[A-Za-z-]+\[\d+\]?|[^\p{L}\p{N}]+)$`)
	// A word with one of these says what the next ones are.
	telling  = pattern.Lazy(`(?i)pass(?:w|phrase)|secret|token|credential|authori[sz]ation|api[-_]?key|cookie|licen[sc]e|\bkey\b|\bpw\b|\bpin\b`)
	scheme   = pattern.Lazy(`(?i)^["'(]*(?:basic|bearer|digest|negotiate)$`)
	knownKey = pattern.Lazy(`^(?:status|code|result|pid|signal|uid|gid|port|line|time|level|state|exit)$`)
)

const around = "\"'`()[]{}<>.,;:!?"

// Log is a line of a program's log as it is shown: one that names a credential ends
// there.
func Log(line string) string {
	words := strings.Fields(problem.Mask(line))
	for i, w := range words {
		if scheme().MatchString(w) {
			return strings.Join(append(words[:i+1], Hidden), " ")
		}
		if telling().MatchString(w) {
			name, _, _ := strings.Cut(w, "=")
			name, _, _ = strings.Cut(name, ":")
			if !shownWord().MatchString(strings.Trim(name, around)) && !assigned().MatchString(name+"=") {
				name = ""
			}
			return strings.Join(append(words[:i], strings.TrimSpace(name+" "+Hidden)), " ")
		}
		words[i] = logWord(w)
	}
	return strings.Join(words, " ")
}

func logWord(w string) string {
	bare := strings.Trim(w, around)
	if bare == "" || strings.Contains(w, Hidden) || shownWord().MatchString(bare) {
		return w
	}
	if key, value, ok := strings.Cut(bare, "="); ok && assigned().MatchString(bare) {
		if knownKey().MatchString(key) && shownWord().MatchString(value) {
			return w
		}
		return key + "=" + Hidden
	}
	return Hidden
}
