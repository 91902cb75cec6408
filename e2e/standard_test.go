package e2e

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
)

// A standard installation, for what is measured and drawn and not judged: this
// test binary once more, as root in namespaces of its own, where Bitbucket
// stands in its usual places and Debian's HAProxy has the ports 80 and 443 to
// itself. Nothing of it is seen outside, and all of it ends with the process.
//
// wantsStandard reports whether this run is one of those.
func wantsStandard() bool { return flag.Lookup("test.bench").Value.String() != "" }

// namespaces makes the process with the tests run in some of its own, as root.
func namespaces(cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID
}

// standard makes the installation and starts its Bitbucket.
func standard() error {
	if err := mounts(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bitbucket")
	if err != nil {
		return err
	}
	bb, err := bitbuckettest.New(bitbuckettest.Options{
		Dir: dir, Version: "8.19.1", Port: 7990, SSHPort: -1, BaseURL: "http://git.example.com:7990", AdminPassword: doorPassword, StartDelay: time.Second,
	})
	if err != nil {
		return err
	}
	const home, program = "/var/atlassian/application-data/bitbucket", "/opt/atlassian/bitbucket/8.19.1"
	go func() { // what the init script asks to restart
		_ = http.ListenAndServe("127.0.0.1:7991", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := bb.Restart(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
	}()
	return errors.Join(
		os.MkdirAll(home, 0o755), os.MkdirAll(program, 0o755),
		syscall.Mount(bb.Home(), home, "", syscall.MS_BIND, ""), syscall.Mount(bb.InstallDir(), program, "", syscall.MS_BIND, ""),
		exec.Command("sh", "-c", "grep -rl "+bb.Home()+" "+program+"/bin | xargs -r sed -i s#"+bb.Home()+"#"+home+"#").Run(),
		exec.Command("chown", "-R", "daemon", home).Run(),
		os.WriteFile("/etc/init.d/atlbitbucket", []byte("#!/bin/sh\nexec curl -fsS http://127.0.0.1:7991\n"), 0o755),
		standardCertificate("/etc/ssl/git.example.com"), bb.Start(),
		exec.Command("/etc/init.d/haproxy", "start").Run(),
	)
}

// mounts gives this process a /var, an /etc, an /opt and a /run of its own, and
// the network one address.
func mounts() error {
	errs := []error{
		syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		syscall.Mount("tmpfs", "/mnt", "tmpfs", 0, ""),
		syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""),
	}
	for _, name := range []string{"var", "etc", "opt"} {
		upper, work := filepath.Join("/mnt", name), filepath.Join("/mnt", name+"-work")
		errs = append(errs, os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755),
			syscall.Mount("overlay", "/"+name, "overlay", 0, "lowerdir=/"+name+",upperdir="+upper+",workdir="+work))
	}
	return errors.Join(append(errs,
		exec.Command("ip", "link", "set", "lo", "up").Run(),
		exec.Command("ip", "address", "add", "203.0.113.7/32", "dev", "lo").Run(),
		os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n203.0.113.7 git.example.com\n"), 0o644),
	)...)
}

// standardCertificate makes one for git.example.com, of an authority that this machine trusts.
func standardCertificate(dir string) error {
	ca, cert, key, err := certs.Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		return err
	}
	_, other, _, err := certs.Dev([]string{"www.example.com"}, 90, time.Now())
	if err != nil {
		return err
	}
	trusted := "/etc/ssl/certs/ca-certificates.crt"
	known, _ := os.ReadFile(trusted)
	return errors.Join(
		os.MkdirAll(dir, 0o755), os.MkdirAll(filepath.Dir(trusted), 0o755),
		os.WriteFile(trusted, append(known, ca...), 0o644),
		os.WriteFile(filepath.Join(dir, "fullchain.pem"), append(cert, ca...), 0o644),
		os.WriteFile(filepath.Join(dir, "privkey.pem"), key, 0o600),
		os.WriteFile(filepath.Join(dir, "www.pem"), append(other, ca...), 0o644),
	)
}
