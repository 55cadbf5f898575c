package doctor

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// LineKind is what a line of the kernel log tells.
type LineKind int

// The kinds of lines that matter here; others are not kept.
const (
	cardError    LineKind = iota + 1 // a card or disk did not read, write or answer
	fileSystem                       // a file system found itself damaged
	readOnly                         // a file system was made read-only
	underVoltage                     // the supply was too weak
)

// KernelLine is a line of the kernel log that tells of a fault.
type KernelLine struct {
	At   time.Time // zero: not known
	Kind LineKind
	Text string
}

// of returns the lines of a kind.
func (k KernelFacts) of(kind LineKind) []KernelLine {
	var all []KernelLine
	for _, l := range k.Lines {
		if l.Kind == kind {
			all = append(all, l)
		}
	}
	return all
}

// What the kernel writes (drivers/mmc/core, block/blk-core.c, fs/buffer.c, fs/ext4/super.c,
// fs/f2fs, drivers/hwmon/raspberrypi-hwmon.c of Linux 5.10 to 6.12). The first that fits
// decides.
var kernelSays = []struct {
	kind LineKind
	re   *regexp.Regexp
}{
	{readOnly, regexp.MustCompile(`(?i)remounting filesystem read-only|forced readonly`)},
	{fileSystem, regexp.MustCompile(`EXT4-fs error|EXT4-fs \([^)]*\): .*(?:[Cc]orrupt|[Ee]rror count)|JBD2: .*(?:I/O error|Detected IO errors)|Aborting journal|F2FS-fs .*(?:inconsistent|[Cc]orrupt)`)},
	{cardError, regexp.MustCompile(`I/O error,? dev (?:mmcblk|sd|nvme)|Buffer I/O error on dev|\bmmc\d+: (?:.*\berror\b|Timeout waiting|.*tuning execution failed|Card stuck|card never left busy)|\bmmcblk\d+: (?:.*\berror\b|timed out|recovery failed)|lost async page write`)},
	{underVoltage, regexp.MustCompile(`(?i)under-?voltage detected`)},
}

// kindOf judges the text of a line; ok is false for one that is of no interest.
func kindOf(text string) (LineKind, bool) {
	for _, s := range kernelSays {
		if s.re.MatchString(text) {
			return s.kind, true
		}
	}
	return 0, false
}

// maxKernelLines bounds what is kept; a dying card writes without end.
const maxKernelLines = 1000

// maxKernelText bounds the text that is kept of a line, in bytes.
const maxKernelText = 300

// keep adds a line if it is of interest. Of too many the last are kept.
func keep(lines []KernelLine, at time.Time, text string) []KernelLine {
	kind, ok := kindOf(text)
	if !ok {
		return lines
	}
	text = strings.ToValidUTF8(text[:min(len(text), maxKernelText)], "�")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if lines = append(lines, KernelLine{at, kind, text}); len(lines) > maxKernelLines {
		lines = lines[1:]
	}
	return lines
}

// ParseKmsg reads records of /dev/kmsg (Linux, Documentation/ABI/testing/dev-kmsg):
//
//	priority,sequence,microseconds since the start,flags[,…];text
//
// booted is when the board was started, zero if that is not known. Lines of another form
// are left out.
func ParseKmsg(text string, booted time.Time) []KernelLine {
	var lines []KernelLine
	for line := range strings.Lines(text) {
		head, message, ok := strings.Cut(strings.TrimRight(line, "\n"), ";")
		fields := strings.Split(head, ",")
		if !ok || strings.HasPrefix(line, " ") || len(fields) < 4 {
			continue
		}
		micros, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || micros < 0 || micros > maxUptime.Microseconds() {
			continue
		}
		var at time.Time
		if !booted.IsZero() {
			at = booted.Add(time.Duration(micros) * time.Microsecond)
		}
		lines = keep(lines, at, message)
	}
	return lines
}

// maxUptime is longer than a board ever runs.
const maxUptime = 100 * 365 * 24 * time.Hour

// ParseKernelJournal reads what journalctl -k -o json prints: one object a line, the time
// in microseconds since 1970 (systemd.journal-fields(7)).
func ParseKernelJournal(text string) []KernelLine {
	var lines []KernelLine
	for line := range strings.Lines(text) {
		var entry struct {
			Message json.RawMessage `json:"MESSAGE"` // a list of numbers where it is no text
			Time    string          `json:"__REALTIME_TIMESTAMP"`
		}
		var message string
		if json.Unmarshal([]byte(line), &entry) != nil || json.Unmarshal(entry.Message, &message) != nil {
			continue
		}
		var at time.Time
		if micros, err := strconv.ParseInt(entry.Time, 10, 64); err == nil && micros > 0 {
			at = time.UnixMicro(micros)
		}
		lines = keep(lines, at, message)
	}
	return lines
}
