package bitbucket_test

import (
	"errors"
	"testing"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
)

func TestRefusedAccounts(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			srv := start(t, bitbuckettest.Options{Version: version})
			c := client(t, srv)
			for n := 1; n <= 6; n++ {
				_, err := c.Login(t.Context(), "admin", bitbucket.NewSecret([]byte("wrong")), bitbucket.MethodAuto)
				want := bitbucket.ErrWrongPassword
				if n == 6 || n == 5 && errors.Is(err, bitbucket.ErrCaptcha) { // five failures lock the account, old login pages show it at once
					want = bitbucket.ErrCaptcha
				}
				if !errors.Is(err, want) || problem.KindOf(err) != problem.Credentials {
					t.Errorf("attempt %d: %v", n, err)
				}
				if got := srv.LoginAttempts(); got != n {
					t.Fatalf("%d passwords were sent in %d attempts", got, n)
				}
			}
		})
	}
}

func TestSecondFactor(t *testing.T) {
	for _, version := range []string{"8.19.12", "9.4.16", "10.0.2"} {
		srv := start(t, bitbuckettest.Options{Version: version, TwoStep: true})
		_, err := client(t, srv).Login(t.Context(), "admin", bitbucket.NewSecret([]byte(password)), bitbucket.MethodAuto)
		if !errors.Is(err, bitbucket.ErrSecondFactor) || srv.LoginAttempts() != 1 {
			t.Errorf("%s: %v after %d attempts", version, err, srv.LoginAttempts())
		}
	}
}

// The password is sent once for the login and, from 9.0 on, once for WebSudo.
func TestPasswordIsSentAsOftenAsAsked(t *testing.T) {
	for version, want := range map[string]int{"4.14.12": 1, "8.19.12": 1, "9.4.16": 2} {
		srv := start(t, bitbuckettest.Options{Version: version})
		s := logIn(t, srv, bitbucket.MethodForm)
		if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); err != nil {
			t.Fatal(err)
		}
		if got := srv.LoginAttempts(); got != want {
			t.Errorf("%s: %d times, want %d", version, got, want)
		}
	}
	srv := start(t, bitbuckettest.Options{Version: "9.4.16", NoWebSudo: true})
	logIn(t, srv, bitbucket.MethodForm)
	if got := srv.LoginAttempts(); got != 1 {
		t.Errorf("without WebSudo: %d times", got)
	}
}
