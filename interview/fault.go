package interview

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// flagWord is a flag as error texts name it.
var flagWord = pattern.Lazy(`--([a-z][a-z-]*)`)

// AtFault is the question whose answer an error is about: the first whose flag
// its texts name, or the certificate's. The messages are written for every door
// and name flags; here they name questions.
func AtFault(err error) (Question, bool) {
	if err == nil {
		return Question{}, false
	}
	told := problem.Explain(err)
	text := strings.Join(append(append(append([]string(nil), told.Found...), told.Do...), told.Why...), "\n")
	if strings.Contains(text, "the certificate cannot be used") {
		return Find("cert")
	}
	for _, m := range flagWord().FindAllStringSubmatch(text, -1) {
		id := m[1]
		if id == "pem" {
			id = "cert"
		}
		if q, known := Find(id); known && !q.Virtual {
			return q, true
		}
	}
	return Question{}, false
}
