package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/haproxy"
	"bitgate/internal/child"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// checkTime ends a check that waits for names which no server resolves.
const checkTime = 2 * time.Minute

// Check runs `haproxy -c` on a copy of the whole set, with extra (the new bundle)
// in it and crt paths rewritten only there, as the service would: with the
// options, the environment and the directory that HAProxy is started with, of
// which Service{} has none. Nothing else of our environment gets to it, and
// nothing of what HAProxy sets itself. The copy has no name on any disk: a bitgate
// that is killed meanwhile leaves no key behind.
func (s Service) Check(ctx context.Context, bin string, set []Candidate, extra []Candidate) (Report, error) {
	if err := trusted.Check("HAProxy's program", bin); err != nil {
		return Report{}, err
	}
	if err := s.wouldWrite(set); err != nil {
		return Report{}, err
	}
	c := copies{}
	defer c.close()
	args, err := c.add(set, extra)
	if err != nil {
		return Report{}, problem.Wrap(err, "the copy of haproxy.cfg to check could not be written", "", "")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := child.Command{Name: bin, Args: slices.Concat([]string{"-c"}, s.Args, args), Files: c.files, Env: s.environment(), Dir: s.Dir}
	out, err := cmd.Output(ctx)
	if ctx.Err() != nil {
		return Report{}, problem.Wrap(ctx.Err(), fmt.Sprintf("%s -c did not end", bin), "it may wait for a host name that cannot be resolved", "")
	}
	if exit := (*child.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		return Report{}, problem.Wrap(err, fmt.Sprintf("%s -c could not be run", bin), "a configuration is written only after HAProxy has accepted it", "")
	}
	text := c.realNames(string(out))
	return Report{OK: err == nil, Messages: ParseMessages(text), Output: text}, nil
}

// repoint replaces the path after every "crt" that names a moved file. Nothing
// else of the file changes, so that line numbers stay true.
func repoint(data []byte, moved map[string]string) []byte {
	if len(moved) == 0 {
		return data
	}
	var out []byte
	for line := range bytes.Lines(data) {
		if !bytes.Contains(line, []byte("crt")) {
			out = append(out, line...)
			continue
		}
		at := 0
		for _, l := range haproxy.Parse(line).Lines {
			for i := 1; i < len(l.Words); i++ {
				w := l.Words[i]
				if to, ok := moved[w.Text]; ok && l.Words[i-1].Text == "crt" {
					out = append(append(out, line[at:w.Start]...), haproxy.Quote(to)...)
					at = w.End
				}
			}
		}
		out = append(out, line[at:]...)
	}
	return out
}

var (
	// "[ALERT]    (12) : text" from 2.3 on, "[ALERT] 326/014035 (12) : text" before.
	messageLine = pattern.Lazy(`^\[([A-Z]+)\]\s+(?:\S+\s+)?\(\d+\) : (.*)$`)
	place       = pattern.Lazy(`\[(.+?):(\d+)\]\s*:?\s*`)
)

// ParseMessages reads what `haproxy -c` prints, 1.5 to 3.4.
func ParseMessages(out string) []Message {
	var all []Message
	for line := range strings.SplitSeq(out, "\n") {
		m := messageLine().FindStringSubmatch(strings.TrimRight(line, "\r"))
		if m == nil {
			text := strings.TrimPrefix(strings.TrimSpace(line), "| ")
			if text != "" && blank(line[0]) && len(all) > 0 { // goes on
				all[len(all)-1].Text += " " + text
			}
			continue
		}
		all = append(all, message(m[1], m[2]))
	}
	return all
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// message takes "config : parsing [/etc/haproxy/haproxy.cfg:3] : text" apart.
func message(level, text string) Message {
	text = strings.TrimPrefix(text, "config : ")
	msg := Message{Level: level, Text: text}
	at := place().FindStringSubmatchIndex(text)
	before := ""
	if at != nil {
		before = strings.ToLower(strings.TrimSpace(text[:at[0]]))
	}
	if at == nil || before != "" && before != "parsing" {
		return msg
	}
	msg.File = text[at[2]:at[3]]
	msg.Line, _ = strconv.Atoi(text[at[4]:at[5]])
	msg.Text = text[at[1]:]
	return msg
}
