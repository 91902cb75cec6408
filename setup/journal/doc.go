// Package journal keeps what a run needs for its way back, in a folder of its own:
//
//	runs/ID/plan.json      what was to be done
//	        files.json     each file's digest, owner and mode before the run
//	        backups/       their bytes
//	        journal.jsonl  one synced line before and after each change
//	        replaced/      foreign edits that a forced undo has thrown away
//
// The folder is made under another name and renamed when all of it is on the disk.
// A line that is torn announced something that had not begun.
package journal
