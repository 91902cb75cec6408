package setup

import (
	"fmt"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/service"
)

// What a person reads of a plan before consenting is made here, from the same
// typed values that apply carries out, whenever it is shown. A plan that was read
// from a file brings texts of its own (What, Effect, Title, for those who read the
// JSON): nobody looks at them.

// Text is one line for people about what will be done.
func (c Change) Text() string {
	switch {
	case c.File != nil:
		return c.File.text()
	case c.Obtain != nil:
		return c.Obtain.text()
	case c.Renewal != nil:
		return c.Renewal.text()
	case c.Certificate != nil:
		return c.Certificate.text()
	case c.KeyStore != nil:
		return c.KeyStore.text()
	case c.Program != nil:
		return c.Program.text()
	case c.BaseURL != nil:
		return c.BaseURL.text()
	case c.Service != nil:
		return c.Service.text()
	}
	return "nothing"
}

// property is an added line of bitbucket.properties.
var property = pattern.Lazy(`^([\w.-]+)=`)

func (e *FileEdit) text() string {
	if e.Before == Absent {
		text := fmt.Sprintf("create %s (mode %04o", e.Path, e.Mode)
		if e.UID > 0 {
			text += fmt.Sprintf(", owner %d:%d", e.UID, e.GID)
		}
		return text + ")"
	}
	var keys []string
	added, removed, onlyKeys := 0, 0, strings.HasSuffix(e.Path, ".properties")
	for _, s := range e.Splices {
		removed += lineCount(s.Old) + s.Lines
		for line := range strings.Lines(s.New) {
			added++
			line = strings.TrimSpace(line)
			m := property().FindStringSubmatch(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case m == nil || strings.HasSuffix(line, `\`):
				onlyKeys = false
			default:
				keys = append(keys, m[1])
			}
		}
	}
	if onlyKeys && len(keys) > 0 {
		return fmt.Sprintf("set %s in %s", strings.Join(keys, ", "), e.Path)
	}
	return fmt.Sprintf("edit %s (+%d -%d lines)", e.Path, added, removed)
}

func lineCount(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

func (c *CertificateChange) text() string {
	access := "mode 0600"
	if c.Group != "" {
		access = fmt.Sprintf("mode %04o, group %s", c.Mode, c.Group)
	}
	from := SourceNames(c.Paths)
	if c.After == Ordered {
		from = "the order"
	}
	return fmt.Sprintf("write the certificate bundle %s (%s) from %s", c.Path, access, from)
}

func (c *BaseURLChange) text() string {
	text := "set the base URL to " + c.New
	if c.SSHNew != "" {
		text += " and the SSH base URL to " + c.SSHNew
	}
	if c.Method == Manual {
		return text + " by hand"
	}
	return text + " through Bitbucket itself"
}

// nodeVariables is what a restart command of a node is given, see restartChange.
var nodeVariables = pattern.Lazy(`^export BITGATE_NODE='[^']*' BITGATE_NODE_ADDRESS='[^']*'; `)

func (s *ServiceChange) text() string {
	name := s.Target
	switch s.Target {
	case "bitbucket":
		name = "Bitbucket"
	case "haproxy":
		name = "HAProxy"
	case "proxy":
		name = "the built-in proxy"
	case "renewal":
		return fmt.Sprintf("%s the timer that renews the certificate (%s)", s.Verb, s.Control)
	}
	if s.Node != "" {
		name += " on node " + s.Node
	}
	how := nodeVariables().ReplaceAllString(s.Control.String(), "")
	if s.Swap != "" {
		return fmt.Sprintf("hand %s to %s on its runtime socket; where it refuses that, %s it (%s)", s.Swap, name, s.Verb, how)
	}
	return fmt.Sprintf("%s %s (%s)", s.Verb, name, how)
}

// Notice is what users notice, "" where there is nothing to say.
func (s ServiceChange) Notice() string {
	switch {
	case s.Target == "bitbucket" && s.Node != "":
		return "the node is away for one to a few minutes; running clones and pushes at it are cut"
	case s.Target == "bitbucket":
		return "Bitbucket is away for one to a few minutes; running clones and pushes are cut"
	case s.Swap != "":
		return "connections are not touched"
	case s.Target == "haproxy" && s.Verb == service.Stop:
		return "HAProxy is stopped and does not start at boot any more, for nothing is left that it would serve"
	case s.Target == "haproxy" && s.Verb == service.Reload:
		return "HAProxy reloads without interruption"
	case s.Target == "proxy" && s.Verb == service.Reload:
		return "the built-in proxy reloads without interruption"
	case s.Target == "proxy" && s.Verb == service.Restart && s.Moves:
		return "the built-in proxy is restarted, for an address overlaps one that it has, and both cannot be bound at once: open requests end first (10 minutes at most), and who connects in the moment after is refused"
	case s.Target == "proxy" && s.Verb == service.Restart:
		return "the built-in proxy is restarted, for it was set up before it could hand over its ports: until its open requests have ended (10 minutes at most), new connections are refused"
	case s.Target == "proxy":
		return "the built-in proxy starts"
	case s.Target == "renewal":
		return "the certificate's files are looked at every hour"
	}
	return ""
}

// StepTitle is a documented step as people call it.
func (p Plan) StepTitle(id string) string {
	switch id {
	case StepContextPath:
		return "Context path"
	case StepBaseURL:
		return "Base URL"
	case StepConnector:
		return "Tomcat connector"
	case StepHAProxy:
		switch p.Answers.Front {
		case FrontBuiltin:
			return "Built-in proxy"
		case FrontTomcat:
			return "Bitbucket's own TLS"
		}
		return "HAProxy"
	case StepSSH:
		return "SSH"
	}
	return "Step " + id
}

// write puts the texts into the plan, for those who read its JSON.
func (p *Plan) write() {
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Title = p.StepTitle(s.ID)
		for k := range s.Changes {
			c := &s.Changes[k]
			c.What = c.Text()
			if c.Service != nil {
				c.Service.Effect = c.Service.Notice()
			}
		}
	}
}
