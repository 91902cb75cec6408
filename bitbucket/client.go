package bitbucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/trusted"
)

// Options of a Client.
type Options struct {
	CAFile string // PEM with additional roots for https bases
	// Shown is the client's certificate, for a front that asks for one.
	Shown []tls.Certificate
	// DialAddr, if set, is dialled instead of the base's host and port (tests
	// and `verify --connect`); TLS still checks the base's name.
	DialAddr string
	// Home is the home directory of the instance, as the administrator or a file
	// of root's names it. A program of this machine gets credentials only where it
	// is its owner's, root's or one's own (peer.go).
	Home string
	// OwnTLS is for a connector of this machine that terminates TLS itself: its
	// certificate is for the public name, and whose process it is the kernel says. It
	// gets no credentials on another machine.
	OwnTLS bool
}

// Limits of one request.
const (
	maxAnswer      = 1 << 20          // bytes read of an answer
	statusTimeout  = 10 * time.Second // a busy Tomcat still answers /status
	requestTimeout = 60 * time.Second // a login may ask LDAP or Crowd first
)

// Client talks to one instance under one base address (context path included).
// Credentials go in clear text only to loopback or an address of this machine,
// and there only to a program of somebody who may have them.
// It ignores HTTP_PROXY and follows no redirect away from the base.
type Client struct {
	base *url.URL // without a trailing slash
	anon *http.Client
	cred *http.Client // refuses to send over plain HTTP to other machines
}

// NewClient takes e.g. "http://127.0.0.1:7990/bitbucket".
func NewClient(base string, o Options) (*Client, error) {
	u, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: o.Shown, InsecureSkipVerify: o.OwnTLS} //nolint:gosec // see OwnTLS
	if o.CAFile != "" {
		if tlsConfig.RootCAs, err = Roots(o.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{
		base: u,
		anon: newHTTPClient(dialer(o.DialAddr), tlsConfig),
		cred: newHTTPClient(guarded(dialer(o.DialAddr), u.Scheme == "https" && !o.OwnTLS, receiver{home: o.Home, proc: "/proc"}), tlsConfig),
	}, nil
}

func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(base))
	switch {
	case err != nil: // url.Parse quotes the whole address, which may hold a password
		return nil, problem.New("the address of Bitbucket is not a URL", "", "give it as http://127.0.0.1:7990").WithKind(problem.Usage)
	case u.User != nil:
		return nil, problem.New("the address of Bitbucket must not contain a user name or password",
			"it would show up in logs and process lists", "use --admin-user and --admin-password-file").WithKind(problem.Usage)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, problem.New(fmt.Sprintf("%q is not an address of Bitbucket", u.Redacted()), "",
			"give scheme, host, port and context path, e.g. http://127.0.0.1:7990/bitbucket").WithKind(problem.Usage)
	}
	path, err := publicurl.ParsePath(u.EscapedPath())
	if err != nil {
		return nil, problem.Wrap(err, "the address of Bitbucket has an unusable context path", "", "").WithKind(problem.Usage)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path}, nil
}

// Roots are the system's authorities and those of a PEM file, which nobody but
// trusted users can have written.
func Roots(file string) (*x509.CertPool, error) {
	pem, err := trusted.ReadFile("the CA file", file, maxAnswer)
	if _, is := errors.AsType[*problem.Error](err); is {
		return nil, err
	}
	if err != nil {
		return nil, problem.Wrap(err, "the CA file cannot be read", "", "check --ca-file")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, problem.New(file+" holds no PEM certificate", "", "give --ca-file the CA's certificate in PEM form")
	}
	return pool, nil
}

// Base is the address the client uses, without a trailing slash.
func (c *Client) Base() string { return c.base.String() }

// Host is the base's host name.
func (c *Client) Host() string { return c.base.Hostname() }

// at returns the URL of a path under the base ("/status").
func (c *Client) at(path string) *url.URL {
	u := *c.base
	path, u.RawQuery, _ = strings.Cut(path, "?")
	u.Path += path
	return &u
}

// answer is a whole answer, read within the limit.
type answer struct {
	url    *url.URL // what was asked
	status int
	header http.Header
	body   []byte
}

// location is where a redirect leads, nil for any other answer.
func (a answer) location() *url.URL {
	if a.status < 300 || a.status > 399 || a.header.Get("Location") == "" {
		return nil
	}
	to, err := a.url.Parse(a.header.Get("Location"))
	if err != nil {
		return nil
	}
	return to
}

// contentType is the media type without parameters, in lower case.
func (a answer) contentType() string {
	t, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// send makes one request and reads its answer. It follows no redirect.
func send(hc *http.Client, req *http.Request) (answer, error) {
	req.Header.Set("User-Agent", "bitgate")
	res, err := hc.Do(req)
	if err != nil {
		return answer{}, explain(req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, explain(req.URL, err)
	}
	if len(body) > maxAnswer {
		return answer{}, problem.New(fmt.Sprintf("the answer of %s is longer than 1 MiB", req.URL),
			"no page bitgate reads is that long: this is not Bitbucket, or a file", "check the address")
	}
	return answer{req.URL, res.StatusCode, res.Header, body}, nil
}

// get asks anonymously.
func (c *Client) get(ctx context.Context, path, accept string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.at(path).String(), nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", accept)
	return send(c.anon, req)
}

// explain says which of the usual things went wrong on the way.
func explain(u *url.URL, err error) error {
	if p, is := errors.AsType[*problem.Error](err); is {
		return p
	}
	if wrapped, is := errors.AsType[*url.Error](err); is {
		err = wrapped.Err
	}
	found, why, do := fmt.Sprintf("no answer from %s://%s", u.Scheme, u.Host), "", "check that Bitbucket runs and listens there"
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknownCA):
		why, do = "its certificate is signed by an authority this machine does not know", "name the authority's certificate with --ca-file"
	case errors.As(err, &wrongName):
		why, do = "its certificate is made out to another name", "use the name in the certificate, or get one for this name"
	case errors.As(err, &invalid):
		why, do = "its certificate is not valid", "renew the certificate and check the clock"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		why = "the connection was closed without an answer: Tomcat may be too busy, or the port speaks another protocol"
	}
	return problem.Wrap(err, found, why, do)
}
