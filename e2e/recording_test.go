package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkRecording (make pictures) films the real program on a standard
// installation, from the first screen to the address that is up, and draws it as one
// picture that moves. Enter is pressed as often as a person has to; what is typed
// besides is the administrator's name and password, and the word.
func BenchmarkRecording(b *testing.B) {
	r := &recording{screen: startScreen(b, "/root", 80, 24, []string{binary(b)})}
	r.wait("Enter starts")
	r.shot(3 * time.Second)
	r.keys("Enter")
	for _, q := range []struct{ title, types string }{
		{"Public URL", ""}, {"Administrator", "admin"}, {"Password", doorPassword}, {"Certificate file", ""}, {"Forward SSH through the front", ""},
	} {
		r.asks(q.title)
		r.settled(r.text)
		r.shot(2 * time.Second)
		if q.types != "" {
			r.types(q.types)
			r.settled(r.text)
			r.shot(time.Second)
		}
		r.typed(q.title, "")
	}
	r.wait("running clones")
	r.settled(r.text)
	r.shot(3 * time.Second)
	r.keys("a")
	r.wait("> _")
	r.types("apply")
	r.wait("> apply_")
	r.shot(2 * time.Second)
	r.keys("Enter")
	r.until("the end", func() bool {
		if len(r.frames) < 24 {
			r.shot(500 * time.Millisecond)
		}
		return strings.Contains(r.text(), "is up.")
	})
	r.settled(r.text)
	r.shot(6 * time.Second)
	film := r.draw()
	if len(film) > 150<<10 {
		b.Errorf("the recording has %d bytes", len(film))
	}
	must(b, os.WriteFile(filepath.Join(*pictures, "setup.svg"), film, 0o644))
}

// recording is what was on the screen, and for how long it is shown.
type recording struct {
	screen
	frames []string
	holds  []time.Duration
}

// shot keeps the screen of now; one that has not changed is shown longer.
func (r *recording) shot(hold time.Duration) {
	r.t.Helper()
	now := r.tmux("capture-pane", "-p", "-e")
	if n := len(r.frames); n > 0 && r.frames[n-1] == now {
		r.holds[n-1] = max(hold, r.holds[n-1])
		return
	}
	r.frames, r.holds = append(r.frames, now), append(r.holds, hold)
}

// draw has every frame visible for its time, over and over. Who wants no motion
// (prefers-reduced-motion) sees the last.
func (r *recording) draw() []byte {
	var whole time.Duration
	for _, h := range r.holds {
		whole += h
	}
	var b, style bytes.Buffer
	fmt.Fprintf(&style, ".f{visibility:hidden;animation-duration:%.1fs;animation-timing-function:step-end;animation-iteration-count:infinite}\n", whole.Seconds())
	var at time.Duration
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / whole.Seconds() }
	for i, h := range r.holds {
		fmt.Fprintf(&style, "@keyframes k%d{0%%{visibility:hidden}%.2f%%{visibility:visible}%.2f%%{visibility:hidden}}#f%d{animation-name:k%d}\n", i, share(at), share(at+h), i, i)
		at += h
	}
	style.WriteString("@media(prefers-reduced-motion:reduce){.f{animation:none!important}.f:last-child{visibility:visible}}\n")
	openSVG(&b, r.w, r.h)
	fmt.Fprintf(&b, "<style>%s</style>\n", style.Bytes())
	for i, frame := range r.frames {
		fmt.Fprintf(&b, `<g id="f%d" class="f">`+"\n", i)
		drawScreen(&b, frame)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
