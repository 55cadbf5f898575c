package llrp

import "fmt"

// MessageType is the type of a message (LLRP 1.0.1, 15.1).
type MessageType uint16

// The messages that are spoken here.
const (
	GetReaderCapabilities         MessageType = 1
	GetReaderConfig               MessageType = 2
	SetReaderConfig               MessageType = 3
	CloseConnectionResponse       MessageType = 4
	GetReaderCapabilitiesResponse MessageType = 11
	GetReaderConfigResponse       MessageType = 12
	SetReaderConfigResponse       MessageType = 13
	CloseConnection               MessageType = 14
	AddROSpec                     MessageType = 20
	DeleteROSpec                  MessageType = 21
	StartROSpec                   MessageType = 22
	StopROSpec                    MessageType = 23
	EnableROSpec                  MessageType = 24
	DisableROSpec                 MessageType = 25
	GetROSpecs                    MessageType = 26
	AddROSpecResponse             MessageType = 30
	DeleteROSpecResponse          MessageType = 31
	StartROSpecResponse           MessageType = 32
	StopROSpecResponse            MessageType = 33
	EnableROSpecResponse          MessageType = 34
	DisableROSpecResponse         MessageType = 35
	GetROSpecsResponse            MessageType = 36
	AddAccessSpec                 MessageType = 40
	DeleteAccessSpec              MessageType = 41
	EnableAccessSpec              MessageType = 42
	AddAccessSpecResponse         MessageType = 50
	DeleteAccessSpecResponse      MessageType = 51
	EnableAccessSpecResponse      MessageType = 52
	GetReport                     MessageType = 60
	ROAccessReport                MessageType = 61
	Keepalive                     MessageType = 62
	ReaderEventNotification       MessageType = 63
	KeepaliveAck                  MessageType = 72
	ErrorMessage                  MessageType = 100
)

// String returns the name that the standard gives the message.
func (t MessageType) String() string {
	if name := messageName(t); name != "" {
		return name
	}
	return fmt.Sprintf("message of type %d", uint16(t))
}

func messageName(t MessageType) string {
	switch t {
	case GetReaderCapabilities:
		return "GET_READER_CAPABILITIES"
	case GetReaderConfig:
		return "GET_READER_CONFIG"
	case SetReaderConfig:
		return "SET_READER_CONFIG"
	case CloseConnection:
		return "CLOSE_CONNECTION"
	case AddROSpec:
		return "ADD_ROSPEC"
	case DeleteROSpec:
		return "DELETE_ROSPEC"
	case StartROSpec:
		return "START_ROSPEC"
	case StopROSpec:
		return "STOP_ROSPEC"
	case EnableROSpec:
		return "ENABLE_ROSPEC"
	case DisableROSpec:
		return "DISABLE_ROSPEC"
	case GetROSpecs:
		return "GET_ROSPECS"
	case AddAccessSpec:
		return "ADD_ACCESSSPEC"
	case DeleteAccessSpec:
		return "DELETE_ACCESSSPEC"
	case EnableAccessSpec:
		return "ENABLE_ACCESSSPEC"
	case GetReport:
		return "GET_REPORT"
	case ROAccessReport:
		return "RO_ACCESS_REPORT"
	case Keepalive:
		return "KEEPALIVE"
	case ReaderEventNotification:
		return "READER_EVENT_NOTIFICATION"
	case KeepaliveAck:
		return "KEEPALIVE_ACK"
	case ErrorMessage:
		return "ERROR_MESSAGE"
	case CloseConnectionResponse:
		return "CLOSE_CONNECTION_RESPONSE"
	}
	if request := t - 10; t > 10 && request.response() == t {
		return messageName(request) + "_RESPONSE"
	}
	return ""
}

// response returns the type of the answer to a request, or 0 if it has none of
// its own.
func (t MessageType) response() MessageType {
	switch {
	case t == CloseConnection:
		return CloseConnectionResponse
	case t >= GetReaderCapabilities && t <= SetReaderConfig,
		t >= AddROSpec && t <= GetROSpecs, t >= AddAccessSpec && t <= EnableAccessSpec:
		return t + 10
	}
	return 0
}

// paramType is the type of a parameter (LLRP 1.0.1, 15.2). Types below 128 are
// TV: one byte of type and a value of fixed size. The others are TLV.
type paramType uint16

const (
	pAntennaID    paramType = 1
	pPeakRSSI     paramType = 6
	pTagSeenCount paramType = 8
	pROSpecID     paramType = 9
	pEPC96        paramType = 13
	pAccessSpecID paramType = 16

	pGeneralDeviceCapabilities   paramType = 137
	pLLRPCapabilities            paramType = 142
	pRegulatoryCapabilities      paramType = 143
	pUHFBandCapabilities         paramType = 144
	pTransmitPowerLevel          paramType = 145
	pFrequencyInformation        paramType = 146
	pFrequencyHopTable           paramType = 147
	pROSpec                      paramType = 177
	pROBoundarySpec              paramType = 178
	pROSpecStartTrigger          paramType = 179
	pROSpecStopTrigger           paramType = 182
	pAISpec                      paramType = 183
	pAISpecStopTrigger           paramType = 184
	pInventoryParameterSpec      paramType = 186
	pAccessSpec                  paramType = 207
	pAccessSpecStopTrigger       paramType = 208
	pAccessCommand               paramType = 209
	pKeepaliveSpec               paramType = 220
	pAntennaProperties           paramType = 221
	pAntennaConfiguration        paramType = 222
	pRFTransmitter               paramType = 224
	pEventsAndReports            paramType = 226
	pROReportSpec                paramType = 237
	pTagReportContentSelector    paramType = 238
	pAccessReportSpec            paramType = 239
	pTagReportData               paramType = 240
	pEPCData                     paramType = 241
	pReaderEventNotificationSpec paramType = 244
	pEventNotificationState      paramType = 245
	pReaderEventNotificationData paramType = 246
	pROSpecEvent                 paramType = 249
	pReportBufferOverflowError   paramType = 251
	pReaderExceptionEvent        paramType = 252
	pAntennaEvent                paramType = 255
	pConnectionAttemptEvent      paramType = 256
	pConnectionCloseEvent        paramType = 257
	pLLRPStatus                  paramType = 287
	pParameterError              paramType = 289
	pC1G2InventoryCommand        paramType = 330
	pC1G2SingulationControl      paramType = 336
	pC1G2TagSpec                 paramType = 338
	pC1G2TargetTag               paramType = 339
	pC1G2Read                    paramType = 341
	pC1G2Write                   paramType = 342
	pC1G2ReadOpSpecResult        paramType = 349
	pC1G2WriteOpSpecResult       paramType = 350
)

func (t paramType) String() string {
	switch t {
	case pPeakRSSI:
		return "PeakRSSI"
	case pEPC96:
		return "EPC-96"
	case pGeneralDeviceCapabilities:
		return "GeneralDeviceCapabilities"
	case pLLRPCapabilities:
		return "LLRPCapabilities"
	case pUHFBandCapabilities:
		return "UHFBandCapabilities"
	case pTransmitPowerLevel:
		return "TransmitPowerLevelTableEntry"
	case pROSpec:
		return "ROSpec"
	case pAntennaProperties:
		return "AntennaProperties"
	case pTagReportData:
		return "TagReportData"
	case pEPCData:
		return "EPCData"
	case pReaderEventNotificationData:
		return "ReaderEventNotificationData"
	case pLLRPStatus:
		return "LLRPStatus"
	case pC1G2ReadOpSpecResult:
		return "C1G2ReadOpSpecResult"
	case pC1G2WriteOpSpecResult:
		return "C1G2WriteOpSpecResult"
	}
	return fmt.Sprintf("parameter %d", uint16(t))
}

// valueSize returns how long the value of a TV parameter is, or 0 for a type
// that the standard does not know (LLRP 1.1, 17.2; the last two are new there).
func (t paramType) valueSize() int {
	sizes := [...]int{
		1: 2, 2: 8, 3: 8, 4: 8, 5: 8, 6: 1, 7: 2, 8: 2, 9: 4, 10: 2, 11: 2, 12: 2, 13: 12, 14: 2, 15: 2, 16: 4, 17: 2, 18: 4, 19: 2, 20: 2,
	}
	if int(t) < len(sizes) {
		return sizes[t]
	}
	return 0
}
