package apply

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"bitgate/certs"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/child"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/journal"
)

// editFile does the splices of one edit, if the file is still what the plan saw.
func (a *Applier) editFile(ctx context.Context, r *journal.Run, i int, e *setup.FileEdit) error {
	f, err := atomicfile.Read(e.Path)
	if err != nil {
		return err
	}
	if done, err := a.asPlanned(f, e.Before, e.After); done || err != nil {
		return err
	}
	after, err := splice.Apply(f.Data, e.Splices)
	if e.Secret {
		after, err = r.Made(i, e.After)
	}
	if err != nil {
		return problem.Wrap(err, e.Path+" cannot be edited as planned", "", "make a new plan")
	}
	if got := atomicfile.Digest(after); got != e.After {
		return problem.New(e.Path+": the edit gives other bytes than the plan says", "the plan was altered", "make a new plan")
	}
	if err := a.checkCandidate(ctx, r.Plan, e.Path, after); err != nil {
		return err
	}
	if f.Absent && r.Plan.MakesFolderOf(e.Path) {
		if err := a.disk().Mkdirs(filepath.Dir(e.Path), 0o755); err != nil {
			return err
		}
	}
	if f.Absent {
		return a.made(ctx, e.Path, a.Files.Create(e.Path, after, fs.FileMode(e.Mode), e.UID, e.GID))
	}
	return a.Files.Replace(f, after)
}

// asPlanned: a file is as it was before the change, or done already.
func (a *Applier) asPlanned(f atomicfile.File, before, after string) (done bool, err error) {
	switch f.DigestOrAbsent() {
	case after:
		return true, a.disk().SyncDir(filepath.Dir(f.Target)) // done before a crash, perhaps not yet on the disk
	case before:
		return false, nil
	}
	return false, changedUnderneath(f.Path)
}

// checkCandidate asks HAProxy itself before its file is swapped: a file that
// its program refuses must never lie in place, not even for a moment.
func (a *Applier) checkCandidate(ctx context.Context, p setup.Plan, path string, after []byte) error {
	if p.Run.HAProxyBin == "" {
		return nil
	}
	var set []live.Candidate
	mine := false
	for _, other := range p.Run.HAProxyFiles {
		if other == path {
			mine = true
			set = append(set, live.Candidate{Path: path, Data: after})
			continue
		}
		f, err := atomicfile.Read(other)
		if err != nil {
			return err
		}
		set = append(set, live.Candidate{Path: other, Data: f.Data})
	}
	if !mine {
		return nil
	}
	report, err := live.ServiceOfSet("", p.Run.HAProxyFiles).Check(ctx, p.Run.HAProxyBin, set, nil)
	if err != nil {
		return err
	}
	if !report.OK {
		return problem.New("HAProxy refuses the new "+path+": "+check.FirstAlert(report), "it was not put in place", "make a new plan")
	}
	return nil
}

// groupID is the number of a group.
func groupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, problem.Wrap(err, "the group "+name+" cannot be looked up", "HAProxy could not read its certificate", "make a new plan")
	}
	return strconv.Atoi(g.Gid)
}

// writeBundle makes the PEM bundle from its sources, readable by root and, where
// the front is started as another user, by that one.
func (a *Applier) writeBundle(ctx context.Context, c *setup.CertificateChange) error {
	m, err := certs.LoadWith(certs.OpenTrusted, c.Paths, certs.Unlock{Ask: a.Unlock})
	if err != nil {
		return err
	}
	if m.BundleDigest() != c.After {
		return certificateChanged()
	}
	f, err := atomicfile.Read(c.Path)
	if err != nil {
		return err
	}
	if done, err := a.asPlanned(f, c.Before, c.After); done || err != nil {
		return err
	}
	mode, gid := fs.FileMode(0o600), -1
	if c.Group != "" {
		if mode = fs.FileMode(c.Mode); mode != 0o640 {
			return problem.New(fmt.Sprintf("the bundle is to be made with mode %04o", mode), "it holds the private key", "make a new plan")
		}
		if gid, err = groupID(c.Group); err != nil {
			return err
		}
	}
	if err := a.disk().Mkdirs(filepath.Dir(c.Path), 0o755); err != nil {
		return err
	}
	if f.Absent {
		return a.made(ctx, c.Path, a.Files.Private(f, m.Bundle(), mode, gid))
	}
	return a.Files.Private(f, m.Bundle(), mode, gid)
}

// made gives a new file the SELinux type that the policy has for its path: it has its
// folder's, which need not be one that the front may read. Where that cannot be done it is
// told; err is how the file was made.
func (a *Applier) made(ctx context.Context, path string, err error) error {
	if err != nil {
		return err
	}
	if _, off := os.Stat(filepath.Join(cmp.Or(a.SELinux, "/sys/fs/selinux"), "enforce")); off != nil {
		return nil //nolint:nilerr // no SELinux, no types
	}
	if _, err := child.Output(ctx, "restorecon", path); err != nil && ctx.Err() == nil {
		a.notice(problem.Warning("selinux", "the SELinux type of "+path+" could not be set: "+err.Error(),
			"who is to read it may not be allowed to", "restorecon -v "+problem.ShellWord(path)))
	}
	return nil
}

func changedUnderneath(path string) error {
	return problem.New(path+" was changed by somebody else since the plan was made",
		"writing would throw that change away", "look at the file, then make a new plan")
}
