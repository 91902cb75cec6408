package detect

import (
	"net"
	"testing"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/peers"
)

// A Bitbucket that takes requests and never answers is asked for a moment, not for
// as long as a sign-in may take at each path.
func TestBitbucketThatNeverAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // its connections wait in the kernel
	was := askTime
	askTime = 100 * time.Millisecond
	defer func() { askTime = was }()
	began := time.Now()
	upstream, paths := "http://"+l.Addr().String(), []string{"/bitbucket", "/stash", ""}
	if v := askVersion(t.Context(), upstream, paths); v != "" {
		t.Errorf("it said it is %s", v)
	}
	if in := askInstance(t.Context(), upstream, paths); in.State != bitbucket.Unreachable || in.Detail == "" {
		t.Errorf("it is %s (%s)", in.State, in.Detail)
	}
	if took := time.Since(began); took > peers.Limit {
		t.Errorf("that took %v", took)
	}
}
