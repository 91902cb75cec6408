package tomcat

import (
	"errors"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// TestLargestProperties: a file that is as large as may be after the edit is edited; what
// is larger, or would be, is refused with its size and what to do.
func TestLargestProperties(t *testing.T) {
	want := []Property{{"server.port", "7991"}}
	for size, found := range map[int]string{maxProperties: "", maxProperties + 1: "/h/p has 1048577 bytes"} {
		src := "#" + strings.Repeat(" ", size-len("#\nserver.port=7990\n")) + "\nserver.port=7990\n"
		p, err := ParseProperties("/h/p", []byte(src))
		if err == nil {
			_, err = p.Edit(want, nil)
		}
		var e *problem.Error
		if found == "" && err != nil || found != "" && (!errors.As(err, &e) || !strings.HasPrefix(e.Found, found) || e.Why == "" || e.Do == "") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	p, err := ParseProperties("/h/p", []byte(strings.Repeat(" ", maxProperties)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Edit(want, nil); err == nil || !strings.Contains(err.Error(), "bytes, and at most 1 MiB") {
		t.Errorf("a file that an edit makes larger: %v", err)
	}
}
