package detect

import (
	"errors"
	"io/fs"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// hidden are the folders that the unit does not see (systemd.exec(5):
// ProtectHome=yes and PrivateTmp=yes): a program there could not be started.
var hidden = []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"}

// ProgramFault says why a systemd unit must not, or cannot, run this program from
// where it lies; nil where it can. The unit gives it capabilities, so nobody but
// root may be able to exchange it.
func ProgramFault(program string) *problem.Finding {
	const do = "install it where only root can write, and run it from there: install -m 755 -t /usr/local/bin "
	fault := problem.Finding{ID: "program", Level: problem.Fail, Do: do + program}
	for _, dir := range hidden {
		if strings.HasPrefix(program, dir) {
			fault.Found = "the systemd unit cannot run " + program
			fault.Why = strings.TrimSuffix(dir, "/") + " is not visible to it (ProtectHome, PrivateTmp)"
			return &fault
		}
	}
	err := trusted.Check("the program of the systemd unit", program)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fault.Found = err.Error()
	var told *problem.Error
	if errors.As(err, &told) {
		fault.Found, fault.Why, fault.Do = told.Found, told.Why, told.Do
	}
	return &fault
}
