package setup

import (
	"bytes"
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
)

// TestNothingGrowsBeyondWhatIsRead: a file that can be read is edited only if it can be
// read afterwards too, or undo could not.
func TestNothingGrowsBeyondWhatIsRead(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	for room, want := range map[int]string{1000: "", 10: "/h/bitbucket.properties would have 5242"} {
		f := Facts{Properties: atomicfile.File{Path: "/h/bitbucket.properties", Data: append(bytes.Repeat([]byte(" "), atomicfile.MaxSize-room-1), '\n')}}
		f.Layout.Properties = f.Properties.Path
		b := builder{f: f, a: Answers{URL: url, Upstream: "http://127.0.0.1:7990", Front: FrontHAProxy}}
		if _, err := b.contextPath(Step{ID: StepContextPath}); err != nil {
			t.Fatal(err)
		}
		if err := b.tooLarge(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d bytes of room: %v", room, err)
		}
	}
}
