package bitbucket_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
)

func TestChangingNothingSendsNothing(t *testing.T) {
	for _, confAPI := range []bool{false, true} {
		srv := start(t, bitbuckettest.Options{Version: "9.4.16", BaseURL: newURL, ConfAPI: confAPI})
		s := logIn(t, srv, bitbucket.MethodAuto)
		if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); err != nil {
			t.Error(err)
		}
		for _, r := range srv.Requests() {
			if r.Method == http.MethodPut || r.Method == http.MethodPost && strings.HasSuffix(r.Path, "server-settings") {
				t.Errorf("%s %s was sent", r.Method, r.Path)
			}
		}
	}
}

func TestConfAPI(t *testing.T) {
	srv := start(t, bitbuckettest.Options{Version: "7.21.23", ConfAPI: true})
	before := srv.Fields()
	s := logIn(t, srv, bitbucket.MethodAuto)
	if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Settings(t.Context())
	if err != nil || got.Method != bitbucket.MethodConfAPI || got.BaseURL != newURL || !got.SSHEnabled {
		t.Errorf("settings %+v, %v", got, err)
	}
	// the plugin knows no SSH base URL, so both go over the form in one request
	if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL + "2", SSH: new(newSSHURL)}); err != nil {
		t.Fatal(err)
	}
	before["baseURL"], before["sshBaseURL"] = newURL+"2", newSSHURL
	if d := cmp.Diff(before, srv.Fields()); d != "" {
		t.Error(d)
	}
	if field, err := s.SSHField(t.Context()); err != nil || field != newSSHURL {
		t.Errorf("the form beside the plugin tells %q, %v", field, err)
	}
	s = logIn(t, srv, bitbucket.MethodConfAPI)
	if _, err := s.SSHField(t.Context()); problem.KindOf(err) != problem.Usage {
		t.Errorf("the plugin alone: %v", err)
	}
	if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL, SSH: new(newSSHURL)}); problem.KindOf(err) != problem.Usage || srv.BaseURL() == newURL {
		t.Errorf("error %v, base URL %s", err, srv.BaseURL())
	}
}

func TestConfAPIWhereThereIsNone(t *testing.T) {
	srv := start(t, bitbuckettest.Options{Version: "9.4.16"})
	_, err := client(t, srv).Login(t.Context(), "admin", bitbucket.NewSecret([]byte(password)), bitbucket.MethodConfAPI)
	if err == nil || !strings.Contains(err.Error(), "not installed") || problem.KindOf(err) == problem.Credentials {
		t.Errorf("error %v", err)
	}
}

// TestLostAnswers: the connection breaks around the one request that counts.
func TestLostAnswers(t *testing.T) {
	isSave := func(r *http.Request) bool {
		return r.Method == http.MethodPut || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "server-settings")
	}
	for _, confAPI := range []bool{false, true} {
		o := bitbuckettest.Options{Version: "9.4.16", ConfAPI: confAPI}
		t.Run("the change was made", func(t *testing.T) {
			srv := start(t, o)
			s := logIn(t, srv, bitbucket.MethodAuto)
			srv.DropNext(http.MethodPost, "server-settings")
			srv.DropNext(http.MethodPut, "settings")
			if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); err != nil || srv.BaseURL() != newURL {
				t.Errorf("error %v, base URL %s", err, srv.BaseURL())
			}
		})
		t.Run("the change was not made", func(t *testing.T) {
			srv := start(t, o)
			s := logIn(t, srv, bitbucket.MethodAuto)
			srv.SetMiddleware(func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if isSave(r) {
						panic(http.ErrAbortHandler)
					}
					h.ServeHTTP(w, r)
				})
			})
			if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); !errors.Is(err, bitbucket.ErrNotApplied) || errors.Is(err, bitbucket.ErrUnknown) {
				t.Errorf("error %v", err)
			}
		})
		t.Run("nothing answers afterwards", func(t *testing.T) {
			srv := start(t, o)
			s := logIn(t, srv, bitbucket.MethodAuto)
			saved := false
			srv.SetMiddleware(func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if saved = saved || isSave(r); saved {
						panic(http.ErrAbortHandler)
					}
					h.ServeHTTP(w, r)
				})
			})
			if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); !errors.Is(err, bitbucket.ErrUnknown) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// An interrupt between request and answer: the outcome is read all the same,
// and an old value proves nothing while the request may still be at work.
func TestInterruptedWhileWaiting(t *testing.T) {
	for _, made := range []bool{true, false} {
		srv := start(t, bitbuckettest.Options{Version: "9.4.16"})
		s := logIn(t, srv, bitbucket.MethodForm)
		ctx, cancel := context.WithCancel(t.Context())
		srv.SetMiddleware(func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					if made {
						h.ServeHTTP(httptest.NewRecorder(), r)
					}
					_, _ = io.Copy(io.Discard, r.Body) // the server sees a client go only then
					cancel()
					<-r.Context().Done()
					return
				}
				h.ServeHTTP(w, r)
			})
		})
		err := s.SetURLs(ctx, bitbucket.URLs{Base: newURL})
		if made && (err != nil || srv.BaseURL() != newURL) {
			t.Errorf("the change was made: %v", err)
		}
		if !made && !errors.Is(err, bitbucket.ErrUnknown) {
			t.Errorf("the request was at work: %v", err)
		}
	}
}

func TestRefusedValueIsNotApplied(t *testing.T) {
	srv := start(t, bitbuckettest.Options{Version: "8.19.12"})
	before := srv.Fields()
	err := logIn(t, srv, bitbucket.MethodForm).SetURLs(t.Context(), bitbucket.URLs{Base: newURL, SSH: new("http://not-ssh")})
	if !errors.Is(err, bitbucket.ErrNotApplied) || !strings.Contains(err.Error(), "must begin with ssh://") {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff(before, srv.Fields()); d != "" {
		t.Error(d)
	}
}

// Somebody else changes another setting in the same moment: said, not hidden.
func TestOtherFieldsAreCompared(t *testing.T) {
	srv := start(t, bitbuckettest.Options{Version: "9.4.16"})
	s := logIn(t, srv, bitbucket.MethodForm)
	srv.SetMiddleware(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			if r.Method == http.MethodPost {
				srv.SetField("publicSignup", "true")
			}
		})
	})
	err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL})
	if !errors.Is(err, bitbucket.ErrApplied) || !strings.Contains(err.Error(), "publicSignup") {
		t.Errorf("error %v", err)
	}
}
