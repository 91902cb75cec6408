package doctor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

var sshChecks = []check{{
	id: "ssh", title: "SSH through the front",
	why:  "ssh:// clone addresses lead here",
	do:   "see that SSH is enabled in Bitbucket and that the front's SSH upstream address is right",
	when: func(t Target) bool { return t.SSHAddr != "" },
	look: lookSSH,
}}

// lookSSH reads the identification line (RFC 4253 section 4.2), which comes
// from the server at the far end, not from the forwarder.
func lookSSH(ctx context.Context, p *probe) verdict {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", p.t.SSHAddr)
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
			return judgeBanner(p.t.SSHAddr, banner)
		}
	}
	return fail(fmt.Sprintf("%s accepts the connection but does not speak SSH", p.t.SSHAddr))
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
