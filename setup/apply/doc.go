// Package apply carries plans out and takes them back.
//
//	lock; refuse while a run is open, the plan is stale or a change cannot be done
//	make the run's folder: plan, backups, journal
//	for each change in the order of its phase:
//	    journal "doing"; do it; journal "done"
//	ask for Bitbucket through the front
//	journal "commit"
//
// What fails on the way is rolled back: the base URL while Bitbucket answers, its
// files, its restart, the front last. Undo does the same to a run that stands, and
// Recover settles one whose process has ended, in either direction.
package apply
