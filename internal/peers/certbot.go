package peers

import (
	"os/exec"
	"testing"
)

// certbot is its library. The package of that name would bring a timer that renews.
const certbot = "/usr/lib/python3/dist-packages/certbot"

// Certbot is a command of Let's Encrypt's client, as its program runs it.
func Certbot(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	Need(t, "certbot")
	return exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"-c", "import sys; from certbot.main import main; sys.exit(main())"}, args...)...)
}
