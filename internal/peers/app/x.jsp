<%@ page contentType="text/plain;charset=UTF-8" session="true" %><%-- What the web application believes about the client's connection. --%>scheme=<%= request.getScheme() %>
serverName=<%= request.getServerName() %>
serverPort=<%= request.getServerPort() %>
secure=<%= request.isSecure() %>
requestURL=<%= request.getRequestURL() %>
contextPath=<%= request.getContextPath() %>
remoteAddr=<%= request.getRemoteAddr() %>
xForwardedFor=<%= request.getHeader("X-Forwarded-For") %>
xForwardedProto=<%= request.getHeader("X-Forwarded-Proto") %>
cookies=<%= request.getHeader("Cookie") %>
