package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"bitgate/doctor/local"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

var sshCauses = []cause{
	{"ssh-address", "SSH addresses", []string{"ssh", "ssh-address"}, lookSSHAddress},
	{"ssh-port", "Where the front looks for Bitbucket's SSH", []string{"ssh"}, lookSSHPort},
	{"ssh-idle", "Patience with SSH", []string{"ssh"}, lookSSHIdle},
}

// lookSSHAddress: the SSH base URL of the file beats the one of the form.
func lookSSHAddress(_ context.Context, s *scene) []problem.Finding {
	is := s.Instance.SSHURL
	u, err := url.Parse(is.Value)
	if is.Value == "" || err != nil || strings.EqualFold(u.Hostname(), s.URL.Host()) {
		return nil
	}
	want := *u
	want.Host = hostport.Bracket(s.URL.Host())
	if u.Port() != "" {
		want.Host += ":" + u.Port()
	}
	return one(at(problem.Warn, is.Place, "plugin.ssh.baseurl is "+is.Value+", and people know "+s.URL.Host(),
		"clone addresses by SSH show another host", local.Cure{local.Write(is.Place, "plugin.ssh.baseurl="+want.String()), s.restart()}))
}

func lookSSHPort(ctx context.Context, s *scene) []problem.Finding {
	is, port := s.Site.SSH.Server, s.Instance.SSHPort.Value
	to, err := hostport.Parse(is.Value)
	if err != nil || port == "" || !local.Here(ctx, is.Value) || fmt.Sprint(to.Port) == port {
		return nil
	}
	want := hostport.Bracket(to.Host) + ":" + port
	return one(at(problem.Fail, is.Place, fmt.Sprintf("SSH goes to %s, and Bitbucket's SSH server has port %s", is.Value, port),
		"git by SSH reaches nobody, or the machine's own SSH server", local.Cure{s.Site.Instead(is, is.Value, want), s.reload()}))
}

// sshPatient is how long an SSH connection may be silent while the server works.
const sshPatient = 15 * time.Minute

func lookSSHIdle(_ context.Context, s *scene) []problem.Finding {
	is := s.Site.SSH.Idle
	if is.Value == "" || is.Duration() == 0 || is.Duration() >= sshPatient {
		return nil
	}
	cure := s.Site.SSH.Missing
	if is.Set() {
		cure = local.Cure{hour(s.Site, is)}
	}
	return one(at(problem.Warn, is.Place, fmt.Sprintf("%s ends silent SSH connections after %s", frontName(s.Site.Program), is.Duration()),
		"git is silent while the server packs or checks; long clones and pushes by SSH are cut", cure.Then(s.reload())))
}
