package detect

import (
	"debug/buildinfo"
	"os"
	"path/filepath"

	"bitgate/internal/atomicfile"
	"bitgate/internal/trusted"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// mainPackage is what every bitgate is built from.
const mainPackage = "bitgate/cmd/bitgate"

// packagedProgram is where packages have it.
const packagedProgram = "/usr/bin/bitgate"

// findProgram says what units, lines of cron's and hooks are to start: this program
// where it lies; else where the run installs it; else why neither can be.
func (f *facts) findProgram(p Probe) error {
	fault := ProgramFault(p.Program)
	if fault == nil || p.Program == "" || !f.Systemd && f.Timer.Cron.Path == "" {
		f.RenewFault = fault
		return nil
	}
	path := filepath.Join(p.Root, setup.InstalledPath)
	in := setup.Installation{From: p.Program}
	why, err := f.installable(path, &in)
	if err != nil {
		return err
	}
	if why == "" {
		f.ProgramPath, f.Installation = path, &in
		return nil
	}
	fault.Why += "; and the run does not install it as " + path + ": " + why
	f.RenewFault = fault
	if f.Systemd {
		f.ProgramFault = fault
	}
	return nil
}

// installable reads both programs; why not is said of a program that somebody else can
// change, of what is no bitgate, of what leads to a file of somebody else, and of a place
// that cannot be written to.
func (f *facts) installable(path string, in *setup.Installation) (why string, err error) {
	if trusted.Check("the program", in.From) != nil {
		return "somebody else can change the program", nil //nolint:nilerr // that is what the error says
	}
	own, err := atomicfile.ReadProgram(in.From)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // said of the program, which then stays where it is
	}
	if own.Absent {
		return "that is no longer there", nil
	}
	in.After = own.Digest
	old, err := atomicfile.ReadProgram(path)
	if err != nil {
		return err.Error(), nil //nolint:nilerr // as above
	}
	in.Before = old.DigestOrAbsent()
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return "that is a link to " + old.Target, nil
	}
	switch {
	case in.Before == in.After:
		if fault := ProgramFault(path); fault != nil {
			return fault.Found, nil
		}
	case !old.Absent:
		if info, err := buildinfo.ReadFile(path); err != nil || info.Path != mainPackage {
			return "another program has that name", nil //nolint:nilerr // as above
		}
	}
	if err := trusted.Folder("the folder of the program", filepath.Dir(path)); err != nil {
		return err.Error(), nil //nolint:nilerr // as above
	}
	examined := path
	if made := journal.MissingDirs(filepath.Dir(path)); len(made) > 0 {
		examined = made[0]
	}
	if found := atomicfile.ExamineProgram(examined); len(found) > 0 {
		return found[0].Found, nil
	}
	if info, err := os.Lstat(filepath.Join(f.Root, packagedProgram)); err == nil && info.Mode().IsRegular() {
		in.Package = filepath.Join(f.Root, packagedProgram)
	}
	in.Ours, err = journal.Installed(f.StateDir, path, in.Before)
	return "", err
}
