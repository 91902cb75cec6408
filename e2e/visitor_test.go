package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"bitgate/internal/publicurl"
)

// visitor is a browser on another machine: it knows the public URL, whose host
// name leads to the front, trusts the authority and follows redirects as long
// as they stay on the public URL.
type visitor struct {
	client *http.Client
	public publicurl.URL
	hops   []string // where redirects pointed, in order
}

func newVisitor(t *testing.T, u publicurl.URL, front, authority string) *visitor {
	t.Helper()
	pem, err := os.ReadFile(authority)
	must(t, err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the authority is no certificate")
	}
	jar, err := cookiejar.New(nil)
	must(t, err)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != u.HostPort() {
				return nil, fmt.Errorf("%s is not the public address %s", address, u.HostPort())
			}
			return (&net.Dialer{}).DialContext(ctx, network, front)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	v := &visitor{public: u}
	v.client = &http.Client{
		Transport: transport, Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			v.hops = append(v.hops, req.URL.String())
			if !strings.HasPrefix(req.URL.String(), u.BaseURL()+"/") {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return v
}

// visit asks for a path below the base URL and returns the page's "name=value"
// lines, the cookies it set and where the visitor landed.
func (v *visitor) visit(t *testing.T, path string) (seen map[string]string, cookies []*http.Cookie, landed string) {
	t.Helper()
	v.hops = nil
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.public.BaseURL()+path, nil)
	must(t, err)
	resp, err := v.client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	seen = map[string]string{}
	for line := range strings.Lines(string(body)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			seen[name] = value
		}
	}
	landed = resp.Request.URL.String()
	if resp.StatusCode/100 == 3 { // it pointed away from the public URL
		landed = v.hops[len(v.hops)-1]
	} else if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", landed, resp.Status, body)
	}
	return seen, resp.Cookies(), landed
}

func (v *visitor) holdsCookie(name string) bool {
	u := &url.URL{Scheme: "https", Host: v.public.Authority(), Path: v.public.RedirectTarget()}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == name {
			return true
		}
	}
	return false
}
