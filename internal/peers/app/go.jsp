<% response.sendRedirect(request.getContextPath() + "/x.jsp"); %>
