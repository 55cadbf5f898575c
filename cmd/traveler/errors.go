package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"traveler.example/agent"
	"traveler.example/agent/flash"
	profiles "traveler.example/firmware-profiles"

	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// The exit codes.
const (
	exitOK           = 0
	exitFailed       = 1 // a check failed, or something unforeseen
	exitUsage        = 2
	exitNotFound     = 3
	exitUnreachable  = 4
	exitNotPermitted = 5
	exitConflict     = 6
	exitTimedOut     = 7
)

// errUsage: the command line is wrong.
var errUsage = errors.New("usage")

// usageError marks an error of the command line without changing its words.
type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == errUsage }
func (e usageError) Unwrap() error        { return e.error }

func usage(err error) error { return usageError{err} }

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// hintf adds what to do to an error; nil stays nil.
func hintf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hinted{err, fmt.Sprintf(format, args...)}
}

// outcomes gives each class of errors its exit code and the hint for errors that
// bring none. The first that fits decides.
var outcomes = []struct {
	is   error
	code int
	hint string
}{
	{errUsage, exitUsage, "traveler --help lists the commands, traveler COMMAND --help their flags"},
	{context.DeadlineExceeded, exitTimedOut, "try again, or wait longer with --timeout"},
	{context.Canceled, exitFailed, "it was interrupted; what was confirmed before stands"},
	{agent.ErrAmbiguous, exitConflict, "give more of the id"},
	{agent.ErrNotFound, exitNotFound, "check the id; the list commands show what this gateway knows"},
	{agent.ErrStopped, exitUnreachable, "start the gateway (travelerd --profile FILE) and ask it over --socket"},
	{fs.ErrPermission, exitNotPermitted, "ask the owner, join the group traveler, or use sudo"}, // also of a socket, which then cannot be reached
	{agent.ErrUnreachable, exitUnreachable, "is travelerd running? systemctl status travelerd says; --socket names another gateway's socket, --dir reads a stopped one"},
	{agent.ErrNotPermitted, exitNotPermitted, "ask a person whose role allows it"},
	{agent.ErrConflict, exitConflict, "look again at what has changed, then repeat"},
	{agent.ErrName, exitUsage, "a name is 1 to 64 letters, digits and signs without spaces, such as G-DRILL-1"},
	{agent.ErrNeedPassphrase, exitUsage, "--passphrase-file FILE or --passphrase-fd N gives it where there is no terminal"},
	{agent.ErrPassphrase, exitNotPermitted, "try again; a passphrase that is lost is not recovered: enrol a new key and revoke this one"},
	{agent.ErrWeakPassphrase, exitUsage, "choose a longer one, such as five words by chance"},
	{agent.ErrKeyOpen, exitNotPermitted, "a private key belongs to its owner alone"},
	{replica.ErrLocked, exitConflict, "stop the gateway first: systemctl stop travelerd"},
	{ledger.ErrRefused, exitConflict, "network show, gateway list and identity list tell what the roster has"},
	{agent.ErrRefused, exitFailed, "mend what is named and repeat"},
	{drivers.ErrBusy, exitConflict, "stop the program that has the port, such as travelerd, or name another port"},
	{drivers.ErrSilent, exitUnreachable, "check power, cable, the reader's switches for its serial port (HSU) and --baud"},
	{drivers.ErrUnplugged, exitUnreachable, "plug it in; ls -l /dev/serial/by-id shows what is there"},
	{flash.ErrTarget, exitUsage, "mount the card's root partition and name that directory; a bare one needs etc and usr in it"},
	{flash.ErrBatch, exitUsage, "mend the file; traveler flash --help shows one"},
	{flash.ErrArchitecture, exitFailed, "make cross builds the programs for every board; --binary names those to take"},
	{flash.ErrDiffers, exitFailed, "try again; if it repeats, the card is bad: take another one"},
	{profiles.ErrNotFound, exitNotFound, "traveler profile list shows the built-in ones"},
	{fs.ErrNotExist, exitNotFound, "check the path"},
	{fs.ErrExist, exitConflict, "nothing is overwritten; choose another name or move the old one away"},
}

// judge returns the exit code of an error and what to do about it.
func judge(err error) (code int, hint string) {
	if err == nil {
		return exitOK, ""
	}
	code, hint = exitFailed, "traveler COMMAND --help tells what a command needs"
	for _, o := range outcomes {
		if errors.Is(err, o.is) {
			code, hint = o.code, o.hint
			break
		}
	}
	var h hinted
	if errors.As(err, &h) {
		hint = h.hint
	}
	return code, hint
}

// naming puts what was asked for in front of an error that does not say it.
func naming(kind, id string, err error) error {
	if strings.Contains(err.Error(), id) {
		return err
	}
	return fmt.Errorf("%s %s: %w", kind, id, err)
}

// misused marks a value that the ledger cannot have as an error of the command
// line that gave it.
func misused(err error) error {
	var field *ledger.FieldError
	if errors.As(err, &field) {
		return usage(hintf(err, "mend the value named"))
	}
	return err
}

// report tells a person what went wrong and returns the exit code.
func (a *app) report(err error) int {
	code, hint := judge(err)
	if err == nil {
		return code
	}
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(a.err, "error: %s\n", line)
		}
	}
	fmt.Fprintf(a.err, "hint: %s\n", hint)
	return code
}
