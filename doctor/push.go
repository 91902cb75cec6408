package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// pushPath is where a push to the named repository, or to none, goes.
func (p *probe) pushPath() string {
	project, slug, named := p.repoName()
	if !named {
		project, slug = "bitgate", "check"
	}
	return fmt.Sprintf("/scm/%s/%s.git/git-receive-pack", url.PathEscape(strings.ToLower(project)), url.PathEscape(slug))
}

// huge is the announced size of a push whose body is never sent.
const huge = 1 << 30

// hurry is how long an answer to Expect may take.
const hurry = 5 * time.Second

var errNotSent = errors.New("the body is not sent")

// unsent is a body that ends the request when somebody wants it.
type unsent struct{}

func (unsent) Read([]byte) (int, error) { return 0, errNotSent }

// lookLargePush announces a body and waits for leave to send it (RFC 9110, 10.1.1),
// so that a limit shows without a byte of it.
func lookLargePush(ctx context.Context, p *probe) verdict {
	var leave bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { leave = true }})
	req, err := p.request(ctx, http.MethodPost, p.pushPath(), unsent{}, "Expect", "100-continue", "Content-Type", "application/x-git-receive-pack-request")
	if err != nil {
		return fail(err.Error())
	}
	req.ContentLength = huge
	begin := time.Now()
	a, err := p.plain(req, nil)
	switch {
	case leave:
		return ok("a body of 1 GiB may be sent")
	case errors.Is(err, errNotSent):
		return fail(fmt.Sprintf("no answer within %s to a request that asks whether it may send its body (Expect: 100-continue)", hurry))
	}
	if v, down := unavailable(a, err); down {
		return v
	}
	switch a.status {
	case http.StatusRequestEntityTooLarge:
		return fail("a push of 1 GiB is answered " + a.line())
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusExpectationFailed, http.StatusMethodNotAllowed:
		return fail("a push with Expect: 100-continue is answered " + a.line())
	}
	if took := time.Since(begin); took > hurry/2 {
		return warn(fmt.Sprintf("Expect: 100-continue is answered only after %s", took.Round(100*time.Millisecond)))
	}
	return ok("a push of 1 GiB is answered " + a.line() + ", as it should be without a password")
}

func lookChunkedPush(ctx context.Context, p *probe) verdict {
	body := io.MultiReader(strings.NewReader("00"), strings.NewReader("00"))
	a, err := p.plain(p.request(ctx, http.MethodPost, p.pushPath(), body, "Content-Type", "application/x-git-receive-pack-request"))
	if v, down := unavailable(a, err); down {
		return v
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return fail("a push in chunks is answered " + a.line())
	}
	return ok("a push in chunks is answered " + a.line())
}
