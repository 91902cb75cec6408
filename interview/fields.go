package interview

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/hostport"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// The helpers of this file make a question's Get and Set for a field.

// textField takes any line of text; valid, if not nil, judges what is not empty.
func textField(q Question, field func(*setup.Answers) *string, valid func(string) error) Question {
	q.Get = func(a setup.Answers) string { return *field(&a) }
	q.Set = func(a *setup.Answers, text string) error {
		text = strings.TrimSpace(text)
		if text != "" && valid != nil {
			if err := valid(text); err != nil {
				return err
			}
		}
		*field(a) = text
		return nil
	}
	return q
}

// pathField takes an absolute path.
func pathField(q Question, field func(*setup.Answers) *string) Question {
	q.Kind = Path
	q.Arg = cmp.Or(q.Arg, "FILE")
	return textField(q, field, oneLine)
}

// choiceField takes one of the question's words, or any command where Free.
func choiceField(q Question, field func(*setup.Answers) *string) Question {
	q.Kind = Choice
	return textField(q, field, func(text string) error {
		if slices.Contains(q.Choices(), text) {
			return nil
		}
		if q.Free {
			return oneLine(text)
		}
		return fmt.Errorf("%q is not one of %s", text, strings.Join(q.Choices(), ", "))
	})
}

func listField(q Question, field func(*setup.Answers) *[]string, valid func(string) error) Question {
	q.Kind = List
	q.Get = func(a setup.Answers) string { return q.Join(*field(&a)) }
	q.Set = func(a *setup.Answers, text string) error {
		var out []string
		for _, one := range q.Split(text) {
			if err := valid(one); err != nil {
				return err
			}
			out = append(out, one)
		}
		*field(a) = out
		return nil
	}
	return q
}

func yesField(q Question, field func(*setup.Answers) *bool) Question {
	q.Kind = Confirm
	q.Get = func(a setup.Answers) string { return yesNo(*field(&a)) }
	q.Set = func(a *setup.Answers, text string) error {
		yes, err := parseYes(text)
		if err == nil {
			*field(a) = yes
		}
		return err
	}
	return q
}

func numberField(q Question, field func(*setup.Answers) *int, from, to int) Question {
	q.Kind = Number
	q.Get = func(a setup.Answers) string {
		if *field(&a) == 0 {
			return ""
		}
		return strconv.Itoa(*field(&a))
	}
	q.Set = func(a *setup.Answers, text string) error {
		n := 0
		if text = strings.TrimSpace(text); text != "" {
			var err error
			if n, err = strconv.Atoi(text); err != nil || n < from || n > to {
				return fmt.Errorf("%q is not a number between %d and %d", text, from, to)
			}
		}
		*field(a) = n
		return nil
	}
	return q
}

func durationField(q Question, field func(*setup.Answers) *time.Duration) Question {
	q.Kind = Duration
	q.Get = func(a setup.Answers) string {
		if *field(&a) == 0 {
			return ""
		}
		return shortDuration(*field(&a))
	}
	q.Set = func(a *setup.Answers, text string) error {
		d := time.Duration(0)
		if text = strings.TrimSpace(text); text != "" {
			var err error
			if d, err = time.ParseDuration(text); err != nil || d <= 0 {
				return fmt.Errorf("%q is not a duration like 15m or 90s", text)
			}
		}
		*field(a) = d
		return nil
	}
	return q
}

// shortDuration writes 15m0s as 15m.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func oneLine(text string) error {
	if strings.ContainsAny(text, "\r\n\x00") {
		return fmt.Errorf("the answer must be one line")
	}
	return nil
}

// listenAddress is what a socket is bound to.
func listenAddress(text string) error {
	_, err := hostport.Listen(text)
	return err
}

// dialAddress is where a program connects.
func dialAddress(text string) error {
	_, err := hostport.Dial(text)
	return err
}

// sshAddress is a host and a port, or the port alone that all nodes have.
func sshAddress(text string) error {
	if strings.HasPrefix(text, ":") {
		return listenAddress(text)
	}
	return dialAddress(text)
}

// upstreamURL is Bitbucket's own connector as bitgate and the front reach it.
func upstreamURL(text string) error {
	if strings.Contains(text, "@") { // what is before it may be a password
		return errors.New("the address of Bitbucket itself must not contain a user name or password")
	}
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(text, "https://")
	}
	if !ok {
		return fmt.Errorf("%q: Bitbucket's own address starts with http://, or with https:// where it does TLS itself", text)
	}
	if strings.Contains(strings.TrimSuffix(rest, "/"), "/") {
		return fmt.Errorf("%q: leave the path out, the context path is known", text)
	}
	if dialAddress(strings.TrimSuffix(rest, "/")) != nil {
		return fmt.Errorf("%q is not an address like http://127.0.0.1:7990", text)
	}
	return nil
}

// contextPath is a path in any of its spellings.
func contextPath(text string) error {
	_, err := publicurl.ParsePath(text)
	return err
}
