package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// hidden are the folders that the unit does not see (systemd.exec(5):
// ProtectHome=yes and PrivateTmp=yes): a program there could not be started.
var hidden = []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"}

// hiddenIn is the folder that hides path from the unit, also where a link leads
// into it; "" where it sees it.
func hiddenIn(path string) string {
	for _, p := range []string{path, resolved(path)} {
		for _, dir := range hidden {
			if strings.HasPrefix(p, dir) {
				return strings.TrimSuffix(dir, "/")
			}
		}
	}
	return ""
}

// configFault says why the unit cannot read its configuration where it lies or will
// lie; nil where it can.
func configFault(path string) *problem.Finding {
	dir := hiddenIn(path)
	if dir == "" {
		return nil
	}
	return &problem.Finding{
		ID: "proxy-config", Level: problem.Fail, Found: "the systemd unit cannot read " + path,
		Why: dir + " is not visible to it (ProtectHome, PrivateTmp)", Do: "leave --proxy-config out (/etc/bitgate/proxy.yaml), or name a file below /etc",
	}
}

// ProgramFault says why a systemd unit must not, or cannot, run this program from
// where it lies; nil where it can. The unit gives it capabilities, so nobody but
// root may be able to exchange it.
func ProgramFault(program string) *problem.Finding {
	const do = "install it where only root can write, and run it from there: install -m 755 -t /usr/local/bin "
	fault := problem.Finding{ID: "program", Level: problem.Fail, Do: do + program}
	if dir := hiddenIn(program); dir != "" {
		fault.Found = "the systemd unit cannot run " + program
		fault.Why = dir + " is not visible to it (ProtectHome, PrivateTmp)"
		return &fault
	}
	if info, err := os.Stat(program); err == nil && info.Mode()&0o001 == 0 {
		fault.Found = fmt.Sprintf("the systemd unit cannot run %s (mode %04o)", program, info.Mode().Perm())
		fault.Why, fault.Do = "it runs as a user of its own, who may not execute it", "chmod 755 "+program
		return &fault
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
