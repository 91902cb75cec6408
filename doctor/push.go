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

// lookLargePush announces a push. Where no answer comes, that is done once more between
// other requests: a front that stood still, or is slow with all, says nothing of Expect.
func lookLargePush(ctx context.Context, p *probe) verdict {
	v, silent := p.announce(ctx)
	if !silent {
		return v
	}
	slow := p.slow(ctx)
	if slow == "" {
		if v, silent = p.announce(ctx); silent {
			slow = p.slow(ctx)
		}
	}
	if slow != "" {
		return note("not checked: " + slow)
	}
	return v
}

// slow says how the front does not answer other requests in time either, "" where it does.
func (p *probe) slow(ctx context.Context) string {
	begin := time.Now()
	_, err := p.get(ctx, p.t.URL.BaseURL()+"/status")
	took := time.Since(begin)
	switch {
	case err != nil:
		return err.Error()
	case took > p.hurry:
		return fmt.Sprintf("the front is slow now, it answers other requests after %s", took.Round(100*time.Millisecond))
	}
	return ""
}

// announce announces a body and waits for leave to send it (RFC 9110, 10.1.1), so that a
// limit shows without a byte of it. silent: there is no answer.
func (p *probe) announce(ctx context.Context) (v verdict, silent bool) {
	var leave bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { leave = true }})
	req, err := p.request(ctx, http.MethodPost, p.pushPath(), unsent{}, "Expect", "100-continue", "Content-Type", "application/x-git-receive-pack-request")
	if err != nil {
		return fail(err.Error()), false
	}
	req.ContentLength = huge
	begin := time.Now()
	a, err := p.plain(req, nil)
	switch {
	case leave:
		return ok("a body of 1 GiB may be sent"), false
	case errors.Is(err, errNotSent):
		return fail(fmt.Sprintf("no answer within %s to a request that asks whether it may send its body (Expect: 100-continue)", p.hurry)), true
	}
	if v, down := unavailable(a, err); down {
		return v, false
	}
	return p.announced(a, time.Since(begin)), false
}

// announced judges the answer to a body that was announced.
func (p *probe) announced(a answer, took time.Duration) verdict {
	switch a.status {
	case http.StatusRequestEntityTooLarge:
		return fail("a push of 1 GiB is answered " + a.line())
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusExpectationFailed, http.StatusMethodNotAllowed:
		return fail("a push with Expect: 100-continue is answered " + a.line())
	}
	if took > p.hurry/2 {
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
