package doctor

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestKindOfKernelLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]LineKind{
		"mmc0: Timeout waiting for hardware interrupt.":                       cardError,
		"mmcblk0: error -110 transferring data, sector 123":                   cardError,
		"blk_update_request: I/O error, dev mmcblk0, sector 2":                cardError,
		"Buffer I/O error on dev mmcblk0p2, logical block 1, lost async":      cardError,
		"mmc0: tuning execution failed: -5":                                   cardError,
		"EXT4-fs error (device mmcblk0p2): ext4_find_entry:1455":              fileSystem,
		"JBD2: Detected IO errors while flushing file data on mmcblk0p2-8":    fileSystem,
		"EXT4-fs (mmcblk0p2): Remounting filesystem read-only":                readOnly,
		"hwmon hwmon1: Undervoltage detected!":                                underVoltage,
		"Under-voltage detected! (0x00050005)":                                underVoltage,
		"mmc0: new high speed SDXC card at address aaaa":                      0,
		"EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode":      0,
		"usb 1-1.2: FTDI USB Serial Device converter now attached to ttyUSB0": 0,
		"hwmon hwmon1: Voltage normalised":                                    0,
	} {
		if got, _ := kindOf(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// TestKernelLinesAreBounded: of a dying card the last lines are kept, each in part.
func TestKernelLinesAreBounded(t *testing.T) {
	t.Parallel()
	line := "3,1,5,-;mmc0: error " + strings.Repeat("ü", 1000) + "\n"
	lines := ParseKmsg(strings.Repeat(line, maxKernelLines+10), noon)
	if len(lines) != maxKernelLines || len(lines[0].Text) > maxKernelText+len("�") || !utf8.ValidString(lines[0].Text) {
		t.Errorf("%d lines of %d bytes", len(lines), len(lines[0].Text))
	}
}

func FuzzParseKmsg(f *testing.F) {
	f.Add("3,2,60000000,-;I/O error, dev mmcblk0, sector 9\n SUBSYSTEM=block\n")
	f.Add("3,2,9223372036854775807,-;mmc0: error\n,,,;\n;\n")
	f.Add("3,2,-1,-;mmc0: error \x1b[2J\xff\n")
	f.Fuzz(func(t *testing.T, text string) { wholeLines(t, ParseKmsg(text, noon)) })
}

func FuzzParseKernelJournal(f *testing.F) {
	f.Add(`{"MESSAGE":"mmc0: error \u001b","__REALTIME_TIMESTAMP":"1"}` + "\n{\"MESSAGE\":null}\n{}\n[]")
	f.Add(`{"MESSAGE":[109,109],"__REALTIME_TIMESTAMP":"9999999999999999999999"}`)
	f.Fuzz(func(t *testing.T, text string) { wholeLines(t, ParseKernelJournal(text)) })
}

// wholeLines: what comes out is of interest, bounded and safe on a terminal.
func wholeLines(t *testing.T, lines []KernelLine) {
	t.Helper()
	for _, l := range lines {
		bad := strings.ContainsFunc(l.Text, unicode.IsControl)
		if l.Kind == 0 || bad || len(l.Text) > 4*maxKernelText || !l.At.IsZero() && l.At.Before(time.Unix(0, 0)) {
			t.Errorf("%+v", l)
		}
	}
}
