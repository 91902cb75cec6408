package setup

import (
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
	for room, want := range map[int]string{1000: "", 10: "/h/server.xml would have 5242"} {
		text := `<Server><Service><Connector port="7990"/><Engine><Host><Context/></Host></Engine></Service></Server>`
		f := Facts{ServerXML: atomicfile.File{Path: "/h/server.xml", Data: []byte(text + strings.Repeat("\n", atomicfile.MaxSize-room-len(text)))}}
		f.Layout.ServerXML = f.ServerXML.Path
		b := builder{f: f, a: Answers{URL: url, Upstream: "http://127.0.0.1:7990", Front: FrontHAProxy}}
		if _, err := b.contextPath(Step{ID: StepContextPath}); err != nil {
			t.Fatal(err)
		}
		if err := b.tooLarge(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d bytes of room: %v", room, err)
		}
	}
}
