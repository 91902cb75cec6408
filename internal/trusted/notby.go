package trusted

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// OpenNotBy opens a regular file that the user uid has not chosen: nothing on the
// way to it belongs to that user, or can be written by everybody. It is for who
// opens files in that user's stead, with more rights than he has.
func OpenNotBy(uid int, what, path string) (*os.File, error) {
	return openAs(what, path, notBy(uid), unix.O_RDONLY, 0)
}

// AppendNotBy is OpenNotBy for a file that is added to; it is made with mode where
// there is none.
func AppendNotBy(uid int, what, path string, mode uint32) (*os.File, error) {
	return openAs(what, path, notBy(uid), unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT, mode)
}

func notBy(uid int) judgement {
	return func(what, path string, _ int, st *unix.Stat_t) error {
		var how string
		shared := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
		switch {
		case int(st.Uid) == uid:
			how = "belongs to " + Who(st.Uid)
		case st.Mode&unix.S_IFMT != unix.S_IFLNK && !shared && st.Mode&0o002 != 0:
			how = "can be changed by everybody"
		default:
			return nil
		}
		return problem.New(
			fmt.Sprintf("%s is not opened: %s %s", what, path, how),
			Who(uint32(uid))+" could make it lead to any file of this machine", "keep it in a folder of root's, which nobody else can write to")
	}
}
