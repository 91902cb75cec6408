package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// Fronted is a solver whose answer the front of this machine gives. An authority is
// told to look only once the front answers here: a reload takes a moment, and a look
// that comes too soon is a failure that counts. A front that is not seen to answer
// stops nothing, for this machine may reach it in another way than the world does.
type Fronted struct {
	Solver
	Addresses []string      // where the front listens, as they are dialled from here
	Patience  time.Duration // 0: 15 s
	Tell      func(string)  // may be nil
}

// Wait is the library's.
func (f Fronted) Wait(ctx context.Context, c acme.Challenge) error {
	patience := cmp.Or(f.Patience, 15*time.Second)
	ask := f.http
	if f.Type() == TLSALPN01 {
		ask = f.tls
	}
	deadline := time.Now().Add(patience)
	for _, address := range f.Addresses {
		for !ask(ctx, address, c) {
			if time.Now().After(deadline) {
				if f.Tell != nil {
					f.Tell("the front does not answer at " + address + " as an authority wants; it is asked to look all the same")
				}
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return nil
}

func (f Fronted) http(ctx context.Context, address string, c acme.Challenge) bool {
	client := &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+ChallengePath+c.Token, nil)
	if err != nil {
		return false
	}
	req.Host = c.Identifier.Value
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return err == nil && resp.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == c.KeyAuthorization
}

func (f Fronted) tls(ctx context.Context, address string, c acme.Challenge) bool {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{
		ServerName: ServerName(c.Identifier.Value), NextProtos: []string{acmez.ACMETLS1Protocol}, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // a challenge's certificate is signed by nobody
	}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	secure, is := conn.(*tls.Conn)
	return is && secure.ConnectionState().NegotiatedProtocol == acmez.ACMETLS1Protocol
}
