package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/setup"
)

// OpenRun returns the id of the unfinished run, "" for none.
func OpenRun(stateDir string) (string, error) {
	all, err := ids(stateDir)
	for _, id := range all {
		r, lerr := Load(Disk{}, stateDir, id, time.Now)
		if lerr != nil {
			return "", lerr
		}
		if !r.State().Settled() {
			return id, nil
		}
	}
	return "", err
}

// Unfinished is openRun for those who do not hold the lock: while another
// bitgate is at work, that is the error, and not that its journal is open.
func Unfinished(stateDir string) (string, error) {
	id, err := OpenRun(stateDir)
	if err != nil || id == "" {
		return "", err
	}
	if err := refuseLocked(stateDir); err != nil {
		return "", err
	}
	return OpenRun(stateDir) // it may have ended between the two looks
}

func RefuseOpen(stateDir string) error {
	id, err := OpenRun(stateDir)
	if err != nil || id == "" {
		return err
	}
	return problem.New("run "+id+" is not finished", "another change on top of it could not be taken back cleanly",
		"settle it first: bitgate recover")
}

// newestFirst goes through the kept runs. An error stands for one that cannot be read, or
// for all of them where not even their list can.
func newestFirst(stateDir string) iter.Seq2[*Run, error] {
	return func(yield func(*Run, error) bool) {
		all, err := ids(stateDir)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, id := range slices.Backward(all) {
			if !yield(Load(Disk{}, stateDir, id, time.Now)) {
				return
			}
		}
	}
}

// LastCommitted is the newest run that stands and set something up. Certificate-only
// runs are no answer where a setup stands: they come by night, and whoever speaks of
// the last run means his own. Nor are they once the setup they belong to is undone.
func LastCommitted(stateDir string) (string, error) {
	certificate := ""
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return "", err
		}
		switch state := r.State(); {
		case r.CertificateOnly():
			if state == setup.RunCommitted {
				certificate = cmp.Or(certificate, r.ID)
			}
		case state == setup.RunCommitted:
			return r.ID, nil
		case state == setup.RunUndone:
			certificate = ""
		}
	}
	if certificate != "" {
		return certificate, nil
	}
	return "", problem.New("there is no run to take back", "", "see bitgate history")
}

// LastDeployment is what the newest run that stands and set up a front says about its
// certificate; false where there is none.
func LastDeployment(stateDir string) (setup.Deployment, bool, error) {
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return setup.Deployment{}, false, err
		}
		if d, ok := r.deployment(); ok {
			return d, true, nil
		}
	}
	return setup.Deployment{}, false, nil
}

// deployment is the front that the run set up; false where it set up none or does not
// stand.
func (r *Run) deployment() (setup.Deployment, bool) {
	d, ok := setup.DeploymentOf(r.Plan)
	return d, ok && r.State() == setup.RunCommitted
}

// BundleDigests are those that the kept runs made of a bundle, the newest run first;
// none where no run wrote it.
func BundleDigests(stateDir, path string) ([]string, error) {
	var out []string
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return nil, err
		}
		out = append(out, r.digests(path)...)
	}
	return out, nil
}

// Refused is the run that put these bytes into a file and was undone, "" where none did,
// or where a run that came later has written the file and stands.
func Refused(stateDir, path, digest string) (string, error) {
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return "", err
		}
		for _, c := range r.Plan.Changes() {
			written, _, after := c.Writes()
			switch {
			case written != path:
			case r.State() == setup.RunCommitted:
				return "", nil
			case r.State() == setup.RunUndone && after == digest:
				return r.ID, nil
			}
		}
	}
	return "", nil
}

// restsOnFront reports whether the run counts on a front that an earlier one set up: it
// leads Bitbucket's links there, changed how its certificate is ordered, which is written
// in none of its files, or found it as wanted.
func (r *Run) restsOnFront() bool {
	_, setsUp := setup.DeploymentOf(r.Plan)
	return setsUp || slices.ContainsFunc(r.Plan.Changes(), func(c setup.Change) bool { return c.BaseURL != nil || c.Reorders() })
}

// RunInfo is a line of `bitgate history`.
type RunInfo struct {
	ID      string         `json:"id"`
	Kind    string         `json:"kind,omitempty"` // "" for a setup, or "certificate"
	Started time.Time      `json:"started"`
	State   setup.RunState `json:"state"`
	URL     string         `json:"url"`
	Changes int            `json:"changes"`
	Backups string         `json:"backups"`
}

// History lists the kept runs, the newest first.
func History(stateDir string) ([]RunInfo, error) {
	out := []RunInfo{}
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return nil, err
		}
		out = append(out, r.info())
	}
	return out, nil
}

func (r *Run) info() RunInfo {
	return RunInfo{
		ID: r.ID, Kind: r.Plan.Kind, Started: r.Records[0].At, State: r.State(),
		URL: r.Plan.Answers.URL.BaseURL(), Changes: len(r.Plan.Ordered()), Backups: r.Backups(),
	}
}

// Look returns a run ("" = the last that stands) for reading.
func Look(stateDir, id string) (*Run, error) {
	if id == "" {
		var err error
		if id, err = LastCommitted(stateDir); err != nil {
			return nil, err
		}
	}
	return Load(Disk{}, stateDir, id, time.Now)
}

// Plan returns the plan of a run ("" = the last that stands), for a preview.
func Plan(stateDir, id string) (setup.Plan, error) {
	r, err := Look(stateDir, id)
	if err != nil {
		return setup.Plan{}, err
	}
	return r.Plan, nil
}

// Names in the folder of runs. What carries a prefix is on its way in or out;
// a crash may leave it, and nobody needs it.
const (
	journalName = "journal.jsonl"
	newPrefix   = ".new-"
	oldPrefix   = ".old-"
)

func runsDir(stateDir string) string { return filepath.Join(stateDir, "runs") }

// maxRecord is more than any file of a run has, in bytes.
const maxRecord = 256 << 20

// trustedState refuses a state folder that others can write to: what lies there
// is done without another look when a run is taken back. The folder of runs is
// judged with it, even an empty one: the next run's backups go there.
func trustedState(stateDir string) error {
	err := trusted.Folder("the state folder", runsDir(stateDir))
	if errors.Is(err, fs.ErrPermission) {
		return problem.Wrap(err, "the runs of this machine cannot be read", "they hold backups of private files, so they are root's alone", "run it as root")
	}
	return err
}

// ids lists the runs, oldest first.
func ids(stateDir string) ([]string, error) {
	if err := trustedState(stateDir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(runsDir(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		dayA, a1 := splitID(a)
		dayB, b1 := splitID(b)
		return cmp.Or(cmp.Compare(dayA, dayB), a1-b1)
	})
	return out, nil
}

func splitID(id string) (day string, n int) {
	day, num, _ := strings.Cut(id, "-")
	n, _ = strconv.Atoi(num)
	return day, n
}

// nextID is the day and a number. It always sorts behind every other run, also
// when the clock was set back.
func nextID(stateDir string, now time.Time) (string, error) {
	all, err := ids(stateDir)
	if err != nil {
		return "", err
	}
	day, n := now.UTC().Format("20060102"), 0
	if len(all) > 0 {
		if lastDay, last := splitID(all[len(all)-1]); lastDay >= day {
			day, n = lastDay, last
		}
	}
	return day + "-" + strconv.Itoa(n+1), nil
}

// Newer is the newest run that stands and has changed a file of r's after it, or rests on
// the front that r set up, "" for none.
func Newer(stateDir string, r *Run) (string, error) {
	mine := r.Plan.TouchedPaths()
	_, setsUp := setup.DeploymentOf(r.Plan)
	for later, err := range newestFirst(stateDir) {
		if err != nil {
			return "", err
		}
		if later.ID == r.ID {
			break
		}
		if later.CertificateOnly() && !r.CertificateOnly() {
			continue // what it renewed goes with the setup
		}
		both := setsUp && later.restsOnFront() || slices.ContainsFunc(later.Plan.TouchedPaths(), func(path string) bool { return slices.Contains(mine, path) })
		if both && later.State() == setup.RunCommitted {
			return later.ID, nil
		}
	}
	return "", nil
}
