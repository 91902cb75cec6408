package interview

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"bitgate/internal/hostport"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

func restartTimeout(a *setup.Answers) *time.Duration { return &a.RestartTimeout }

// urlQuestion asks for the public URL. A bare host name is enough: the scheme
// can only be https, and the path is the one Bitbucket has now.
func urlQuestion() Question {
	return Question{
		ID: "url", Step: setup.StepContextPath, Title: "Public URL", Kind: Text, Arg: "URL", Example: "git.example.com",
		Why:   "The address under which people will reach Bitbucket through the front. The host name is enough.",
		Help:  "public URL of Bitbucket, e.g. https://git.example.com/bitbucket",
		Asked: "always", required: true, Slow: true, Looks: true, refuse: refuseOwnPort,
		Get: func(a setup.Answers) string { return a.URL.BaseURL() },
		Set: func(a *setup.Answers, text string) error { return a.URL.UnmarshalText([]byte(strings.TrimSpace(text))) },
		when: func(*Interview) bool {
			return true
		},
		show: func(f setup.Facts, a setup.Answers) string {
			if a.URL.IsZero() {
				u, _ := setup.SuggestURL(f)
				return u.BaseURL()
			}
			return a.URL.BaseURL()
		},
		Because: func(f setup.Facts, a setup.Answers) string {
			if _, why := setup.SuggestURL(f); a.URL.IsZero() && why != "" {
				return Origin(f, why)
			}
			return ""
		},
		enter: func(f setup.Facts, a *setup.Answers, text string) error {
			return a.URL.UnmarshalText([]byte(completeURL(f, text)))
		},
	}
}

// refuseOwnPort: 7990 is copied from the browser's line, and is Bitbucket's.
func refuseOwnPort(iv *Interview, text string) error {
	typed := strings.TrimSpace(text)
	if plain, is := strings.CutPrefix(typed, "http://"); is {
		host, _, _ := strings.Cut(plain, "/")
		host, _, _ = hostport.Cut(host)
		return fmt.Errorf("%q is the address of now; the public URL starts with https and has the front's port: https://%s", typed, host)
	}
	u, err := publicurl.Parse(completeURL(iv.Facts, typed))
	own, ownErr := url.Parse(iv.Answers.Upstream)
	if err != nil || ownErr != nil || u.Port() == 443 || own.Port() != u.ProxyPort() {
		return nil //nolint:nilerr // the question itself refuses it
	}
	return fmt.Errorf("%s is Bitbucket's own port; the front needs another, and the public URL usually has none: https://%s", u.ProxyPort(), hostport.Bracket(u.Host()))
}

// completeURL adds what a person need not type.
func completeURL(f setup.Facts, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	scheme, rest, _ := strings.Cut(text, "://")
	if strings.Contains(rest, "/") || scheme != "https" {
		return text
	}
	return text + f.ContextPath.Value
}

// pathQuestion is the documented first step in its own words.
func pathQuestion() Question {
	return Question{
		ID: "path", Virtual: true, Step: setup.StepContextPath, Title: "Context path", Kind: Text, Example: "/bitbucket",
		Why:   "Bitbucket and the front must serve from the same path. The documented page uses /bitbucket; the path Bitbucket has now breaks no address.",
		Asked: "when the URL has another path than Bitbucket has now", keys: []string{"url"},
		Get: func(a setup.Answers) string { return a.URL.PropertyPath() },
		Set: func(a *setup.Answers, text string) error {
			if a.URL.IsZero() {
				return contextPath(text)
			}
			u, err := a.URL.WithPath(strings.TrimSpace(text))
			if err == nil {
				a.URL = u
			}
			return err
		},
		when: func(iv *Interview) bool {
			return !iv.Answers.URL.IsZero() && (!iv.Facts.ContextPath.Set || pathChanges(iv.Facts, iv.Answers))
		},
		Because: func(f setup.Facts, a setup.Answers) string {
			if !f.ContextPath.Set {
				return "the path Bitbucket has now is not known"
			}
			if f.ContextPath.Value == a.URL.TomcatPath() {
				return "as Bitbucket has it now" + SourceNote(f, f.ContextPath.Why)
			}
			return fmt.Sprintf("Bitbucket has %s now%s", SpellPath(f.ContextPath.Value), SourceNote(f, f.ContextPath.Why))
		},
	}
}

// oldPathQuestion offers to send the old addresses on.
func oldPathQuestion() Question {
	return textField(Question{
		ID: "redirect-old-path", Step: setup.StepContextPath, Title: "Redirect the old path", Kind: Text, Arg: "PATH",
		Why:     "Clone addresses, webhooks and CI jobs under the old path break. The front can send them on to the new one; git follows for clone and fetch.",
		Help:    "former context path that the front redirects to the new one",
		Default: "none", Asked: "when the context path changes",
		prompt:  Confirm,
		Options: []Option{{"yes", "Yes, send the old path on"}, {"no", "No, the old addresses may break"}},
		when: func(iv *Interview) bool {
			return iv.Facts.ContextPath.Set && pathChanges(iv.Facts, iv.Answers) && iv.Answers.Front != setup.FrontTomcat
		},
		show: func(f setup.Facts, a setup.Answers) string {
			return yesNo(a.RedirectOldPath != "" || pathChanges(f, a))
		},
		enter: func(f setup.Facts, a *setup.Answers, text string) error {
			yes, err := parseYes(text)
			if err != nil {
				return err
			}
			switch {
			case !yes:
				a.RedirectOldPath = ""
			case pathChanges(f, *a):
				a.RedirectOldPath = SpellPath(f.ContextPath.Value)
			case a.RedirectOldPath == "":
				return errors.New("the context path stays as it is, so there is no old one; one of before that is named by --redirect-old-path")
			}
			return nil
		},
	}, func(a *setup.Answers) *string { return &a.RedirectOldPath }, contextPath)
}

// pathChanges reports whether Bitbucket will serve from another path than now.
func pathChanges(f setup.Facts, a setup.Answers) bool {
	return f.ContextPath.Set && !a.URL.IsZero() && f.ContextPath.Value != a.URL.TomcatPath() && !a.Skips(setup.StepContextPath)
}

// SpellPath writes the root as people do.
func SpellPath(path string) string {
	p, err := publicurl.ParsePath(path)
	if err != nil {
		return path
	}
	return cmp.Or(p, "/")
}

// SourceNote adds the source of a value in brackets.
func SourceNote(f setup.Facts, why string) string {
	if why == "" {
		return ""
	}
	return " (" + Origin(f, why) + ")"
}

// Origin makes "from X" of a source, unless X says by itself what it is. Files
// of Bitbucket are named as its documentation does, from the home directory on.
func Origin(f setup.Facts, why string) string {
	if f.Bitbucket.Home != "" {
		why = strings.ReplaceAll(why, f.Bitbucket.Home+"/", "")
	}
	if why == "given" {
		return "as you said"
	}
	for _, own := range []string{"set in ", "init script", "found ", "not set", "default", "from "} {
		if strings.HasPrefix(why, own) {
			return why
		}
	}
	if strings.Contains(why, " is ") {
		return why
	}
	return "from " + why
}
