package console

var NewHandler = newHandler
