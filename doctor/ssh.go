package doctor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

var sshChecks = []check{{
	id: "ssh", title: "SSH through the front",
	why:  "ssh:// clone addresses lead here",
	do:   "see that SSH is enabled in Bitbucket and that the front's SSH upstream address is right",
	when: func(t Target) bool { return t.SSHAddr != "" },
	look: lookSSH,
}, {
	id: "ssh-address", title: "SSH clone addresses", https: true,
	why:  "people copy these addresses",
	do:   "set the SSH base URL under Administration, Server settings, or enable the port that it names",
	look: lookSSHClone,
}}

// lookSSHClone takes the address that Bitbucket hands out and sees who answers there.
func lookSSHClone(ctx context.Context, p *probe) verdict {
	repo, _ := p.someRepo(ctx)
	if repo == nil {
		return verdict{} // clone-url says that none is visible
	}
	for _, c := range repo.Links.Clone {
		u, err := url.Parse(c.Href)
		if err != nil || u.Scheme != "ssh" {
			continue
		}
		at := hostport.Addr{Host: u.Hostname(), Port: 22}
		if port, err := strconv.Atoi(u.Port()); err == nil {
			at.Port = port
		}
		if to, err := hostport.Parse(p.t.Connect); err == nil && strings.EqualFold(at.Host, p.t.URL.Host()) {
			at.Host = to.Host
		}
		v := p.banner(ctx, at.String())
		if v.Level == problem.Fail { // from here; people may come another way
			v.Level = problem.Warn
		}
		if v.Level == problem.OK && !strings.EqualFold(u.Hostname(), p.t.URL.Host()) {
			return note(stripUser(c.Href) + " answers, and has another host than " + p.t.URL.BaseURL())
		}
		v.Found = stripUser(c.Href) + ": " + v.Found
		return v
	}
	return ok("none: SSH is disabled")
}

// lookSSH reads the identification line (RFC 4253 section 4.2), which comes
// from the server at the far end, not from the forwarder.
func lookSSH(ctx context.Context, p *probe) verdict { return p.banner(ctx, p.t.SSHAddr) }

func (p *probe) banner(ctx context.Context, address string) verdict {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fail(err.Error())
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return fail(err.Error())
	}
	// A server may send other lines first; it may not send more than a few.
	lines := bufio.NewScanner(io.LimitReader(conn, 16<<10))
	for lines.Scan() {
		if banner := strings.TrimSpace(lines.Text()); strings.HasPrefix(banner, "SSH-") {
			return judgeBanner(address, banner)
		}
	}
	return fail(fmt.Sprintf("%s accepts the connection but does not speak SSH", address))
}

func judgeBanner(address, banner string) verdict {
	switch {
	case !strings.HasPrefix(banner, "SSH-2.0-") && !strings.HasPrefix(banner, "SSH-1.99-"):
		return fail(fmt.Sprintf("%s says %q, which is not SSH 2", address, banner))
	case strings.Contains(banner, "OpenSSH"):
		return warn(fmt.Sprintf("%s says %q: that is the host's own SSH server", address, banner)).
			because("Bitbucket has its own; git users would be asked for accounts of the machine").
			doing("forward to the port of Bitbucket's SSH server (7999 unless changed)")
	}
	return ok(fmt.Sprintf("%s says %q", address, banner))
}
